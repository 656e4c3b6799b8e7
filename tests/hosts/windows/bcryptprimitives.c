// The one function of a Windows library that programs in Rust get random numbers from. Debian 12's Wine 8 lacks the library;
// later versions of Wine have it.
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) {
  while (size > 0) {
    ULONG part = size > MAXLONG ? MAXLONG : (ULONG)size;
    if (!SystemFunction036(data, part)) {
      return FALSE;
    }
    data += part;
    size -= part;
  }
  return TRUE;
}
