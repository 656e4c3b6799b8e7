/* What is the same for images of all formats: their bytes, their memory, and the way from SQLite to their entry point. */
#define _GNU_SOURCE
#include "image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sqlite3.h"

typedef int (*entry_point)(sqlite3 *, char **, const struct sqlite3_api_routines *);
typedef int (*static_entry_point)(void);

_Noreturn void image_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "image: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(3);
}

struct bytes image_part(struct bytes whole, uint64_t offset, uint64_t size) {
    if (offset > whole.size || size > whole.size - offset) {
        image_fail("%llu bytes at %llu are out of %llu", (unsigned long long)size, (unsigned long long)offset,
                   (unsigned long long)whole.size);
    }
    return (struct bytes){whole.start + offset, size};
}

uint16_t image_read16(struct bytes bytes, uint64_t offset) {
    uint16_t value;
    memcpy(&value, image_part(bytes, offset, sizeof value).start, sizeof value);
    return value;
}

uint32_t image_read32(struct bytes bytes, uint64_t offset) {
    uint32_t value;
    memcpy(&value, image_part(bytes, offset, sizeof value).start, sizeof value);
    return value;
}

uint64_t image_read64(struct bytes bytes, uint64_t offset) {
    uint64_t value;
    memcpy(&value, image_part(bytes, offset, sizeof value).start, sizeof value);
    return value;
}

const char *image_text(struct bytes bytes, uint64_t offset) {
    if (offset >= bytes.size || !memchr(bytes.start + offset, 0, (size_t)(bytes.size - offset))) {
        image_fail("no text at %llu", (unsigned long long)offset);
    }
    return (const char *)bytes.start + offset;
}

/* Images of 256 MiB and more are none of ours, and would not fit everywhere. */
static const uint64_t largest = 1 << 28;

void image_reserve(struct image *image, uint64_t size) {
    if (size == 0 || size > largest) image_fail("its size in memory is %llu", (unsigned long long)size);
    void *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) image_fail("no memory for it");
    image->memory = memory;
    image->size = size;
    /* Where it was linked to be, wrong relocations would not be noticed. */
    if (image_distance(image) == 0) image_fail("it is where it was linked to be");
}

struct bytes image_memory(const struct image *image) {
    return (struct bytes){image->memory, image->size};
}

unsigned char *image_place(const struct image *image, uint64_t address, uint64_t size) {
    image_part(image_memory(image), address, size);
    return image->memory + address;
}

void image_protect(const struct image *image, uint64_t address, uint64_t size, int protection) {
    unsigned char *start = image_place(image, address, size);
    if (mprotect(start, (size_t)size, protection) != 0) image_fail("no part of it can begin at %p", (void *)start);
    if (protection & PROT_EXEC) __builtin___clear_cache((char *)start, (char *)start + size);
}

uint64_t image_distance(const struct image *image) {
    return (uint64_t)(uintptr_t)image->memory - image->preferred;
}

void image_rebase(const struct image *image, uint64_t address, unsigned size) {
    unsigned char *place = image_place(image, address, size);
    uint64_t pointer = 0;
    memcpy(&pointer, place, size);
    /* What does not point into the image is no pointer. */
    if (pointer - image->preferred > image->size) image_fail("a relocation of no pointer: %llx", (unsigned long long)pointer);
    pointer += image_distance(image);
    memcpy(place, &pointer, size);
}

static struct bytes read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    long size = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    unsigned char *content = size < 0 ? NULL : malloc((size_t)size + 1);
    if (!content || fseek(file, 0, SEEK_SET) != 0 || fread(content, 1, (size_t)size, file) != (size_t)size) {
        image_fail("cannot read %s", path);
    }
    fclose(file);
    return (struct bytes){content, (uint64_t)size};
}

static struct image loaded;
static entry_point entry;

/* What SQLite calls for each new connection. */
static int load(sqlite3 *db, char **message, const struct sqlite3_api_routines *api) {
    return entry(db, message, api_for(loaded.system, api));
}

int image_register(const char *path) {
    struct bytes file = read_file(path);
    void *(*find)(const struct image *, const char *);
    if (image_read16(file, 0) == 0x5a4d) {
        loaded.system = WINDOWS;
        pe_map(&loaded, file);
        find = pe_find;
    } else {
        loaded.system = APPLE;
        mach_o_map(&loaded, file);
        find = mach_o_find;
    }
    static_entry_point static_entry = (static_entry_point)find(&loaded, "powersync_init_static");
    if (static_entry) return static_entry();
    entry = (entry_point)find(&loaded, "sqlite3_powersync_init");
    if (!entry) image_fail("it exports no entry point");
    return sqlite3_auto_extension((void (*)(void))load);
}
