/* Libraries for Windows, in the format PE. */
#include <string.h>
#include <sys/mman.h>

#include "image.h"

#if defined(__i386__)
#define MACHINE 0x14c
#define MAGIC 0x10b
#define POINTER 4
#elif defined(__aarch64__)
#define MACHINE 0xaa64
#define MAGIC 0x20b
#define POINTER 8
#else
/* On x86-64, Windows has another calling convention. */
#define MACHINE 0
#define MAGIC 0
#define POINTER 8
#endif

/* Numbers of the tables that are known. Of those that are not listed, some are for debuggers and for exceptions. */
enum { EXPORTS, IMPORTS, RELOCATIONS = 5, THREAD_STORAGE = 9, DELAYED_IMPORTS = 13, RUNTIME = 14, TABLES = 16 };

/* Where the optional header has things. */
enum { IMAGE_BASE = POINTER == 8 ? 24 : 28, IMAGE_SIZE = 56, HEADERS_SIZE = 60, FIRST_TABLE = POINTER == 8 ? 112 : 96 };

enum { SECTION_HEADER = 40 };

static uint64_t read_pointer(struct bytes bytes, uint64_t offset) {
    return POINTER == 8 ? image_read64(bytes, offset) : image_read32(bytes, offset);
}

/* Where a table is; of no size if there is none. */
static struct bytes table(const struct image *image, struct bytes header, unsigned number) {
    if (number >= image_read32(header, FIRST_TABLE - 4)) return (struct bytes){NULL, 0};
    uint64_t place = FIRST_TABLE + 8 * number;
    return image_part(image_memory(image), image_read32(header, place), image_read32(header, place + 4));
}

static void copy_sections(const struct image *image, struct bytes file, struct bytes sections) {
    for (uint64_t at = 0; at < sections.size; at += SECTION_HEADER) {
        uint32_t size = image_read32(sections, at + 8), on_disk = image_read32(sections, at + 16);
        struct bytes content = image_part(file, image_read32(sections, at + 20), on_disk < size ? on_disk : size);
        unsigned char *place = image_place(image, image_read32(sections, at + 12), size);
        memcpy(place, content.start, (size_t)content.size);
    }
}

static void protect_sections(const struct image *image, struct bytes sections) {
    for (uint64_t at = 0; at < sections.size; at += SECTION_HEADER) {
        uint32_t flags = image_read32(sections, at + 36);
        int protection = flags & 0x40000000 ? PROT_READ : PROT_NONE;
        if (flags & 0x80000000) protection |= PROT_WRITE;
        if (flags & 0x20000000) protection |= PROT_EXEC;
        image_protect(image, image_read32(sections, at + 12), image_read32(sections, at + 8), protection);
    }
}

/* Relocations are in blocks, one for a page: its address, the block's size, and 16 bits for each. */
static void relocate(const struct image *image, struct bytes relocations) {
    if (relocations.size == 0) image_fail("it has no relocations");
    for (uint64_t at = 0; at < relocations.size;) {
        uint64_t page = image_read32(relocations, at), size = image_read32(relocations, at + 4);
        if (size < 8) image_fail("a block of relocations of %u bytes", (unsigned)size);
        struct bytes block = image_part(relocations, at, size);
        for (uint64_t entry = 8; entry < size; entry += 2) {
            unsigned value = image_read16(block, entry), kind = value >> 12;
            if (kind == (POINTER == 8 ? 10 : 3)) image_rebase(image, page + (value & 0xfff), POINTER);
            else if (kind != 0) image_fail("a relocation of kind %u, which is not known", kind);
        }
        at += size;
    }
}

/* Imports are listed by library, each with a list of names and one of pointers, which end with a zero. */
static void resolve(const struct image *image, struct bytes imports) {
    struct bytes memory = image_memory(image);
    for (uint64_t at = 0; imports.size > 0 && image_read32(imports, at + 12); at += 20) {
        const char *library = image_text(memory, image_read32(imports, at + 12));
        uint64_t names = image_read32(imports, at), pointers = image_read32(imports, at + 16), name;
        for (; (name = read_pointer(memory, names)); names += POINTER, pointers += POINTER) {
            if (name >> (8 * POINTER - 1)) image_fail("it imports of %s by number, which is not known", library);
            void *function = import_find(WINDOWS, image_text(memory, name + 2));
            memcpy(image_place(image, pointers, POINTER), &function, POINTER);
        }
    }
}

void pe_map(struct image *image, struct bytes file) {
    uint64_t start = image_read32(file, 0x3c);
    if (image_read32(file, start) != 0x4550) image_fail("not a PE image");
    struct bytes header = image_part(file, start + 24, image_read16(file, start + 20));
    if (image_read16(file, start + 4) != MACHINE || image_read16(header, 0) != MAGIC) {
        image_fail("made for machine %x, which is not this one", image_read16(file, start + 4));
    }
    struct bytes sections = image_part(file, start + 24 + header.size, SECTION_HEADER * image_read16(file, start + 6));
    image->preferred = read_pointer(header, IMAGE_BASE);
    image_reserve(image, image_read32(header, IMAGE_SIZE));
    struct bytes headers = image_part(file, 0, image_read32(header, HEADERS_SIZE));
    memcpy(image_place(image, 0, headers.size), headers.start, (size_t)headers.size);
    copy_sections(image, file, sections);

    relocate(image, table(image, header, RELOCATIONS));
    resolve(image, table(image, header, IMPORTS));
    static const unsigned unknown[] = {THREAD_STORAGE, DELAYED_IMPORTS, RUNTIME};
    for (unsigned index = 0; index < sizeof unknown / sizeof *unknown; index++) {
        if (table(image, header, unknown[index]).size > 0) image_fail("its table %u is not known", unknown[index]);
    }
    if (image_read32(header, 16)) image_fail("it has a function to be called first, which is not known");
    image->exports = table(image, header, EXPORTS);
    image_protect(image, 0, image->size, PROT_READ);
    protect_sections(image, sections);
}

void *pe_find(const struct image *image, const char *name) {
    if (image->exports.size == 0) return NULL;
    struct bytes memory = image_memory(image);
    uint64_t functions = image_read32(image->exports, 28), names = image_read32(image->exports, 32);
    uint64_t ordinals = image_read32(image->exports, 36);
    for (uint64_t index = 0; index < image_read32(image->exports, 24); index++) {
        if (strcmp(image_text(memory, image_read32(memory, names + 4 * index)), name) != 0) continue;
        unsigned ordinal = image_read16(memory, ordinals + 2 * index);
        if (ordinal >= image_read32(image->exports, 20)) image_fail("%s has number %u, of fewer", name, ordinal);
        unsigned char *function = image_place(image, image_read32(memory, functions + 4 * ordinal), 1);
        if (function >= image->exports.start && function < image->exports.start + image->exports.size) {
            image_fail("%s is in another library, which is not known", name);
        }
        return function;
    }
    return NULL;
}
