/* Libraries for Apple's systems, in the format Mach-O, alone or in a universal file. */
#include <string.h>
#include <sys/mman.h>

#include "image.h"

#if defined(__aarch64__)
#define PROCESSOR 0x0100000c
#elif defined(__x86_64__)
#define PROCESSOR 0x01000007
#else
#define PROCESSOR 0
#endif

/* Load commands; REQUIRED marks those without which an image cannot be loaded. */
enum { SEGMENT_64 = 0x19, DYLD_INFO = 0x22, ROUTINES_64 = 0x1a };
#define REQUIRED 0x80000000u
#define DYLD_INFO_ONLY (DYLD_INFO | REQUIRED)
#define EXPORTS_TRIE (0x33 | REQUIRED)
#define CHAINED_FIXUPS (0x34 | REQUIRED)
#define RUN_PATH (0x1c | REQUIRED)

enum { HEADER_SIZE = 32, SEGMENT_SIZE = 72, SECTION_SIZE = 80 };

/* Parts of LC_DYLD_INFO by the place of their offset in it. */
enum { REBASES = 8, BINDS = 16, WEAK_BINDS = 24, LAZY_BINDS = 32, EXPORTS = 40 };

/* The parts of an image that are found in its load commands. */
struct contents {
    struct bytes file;
    struct bytes segment_commands[16];
    unsigned count;
    struct bytes information;
    struct bytes exports;
};

static uint32_t swapped(uint32_t value) {
    return __builtin_bswap32(value);
}

/* The part of a universal file that is made for this processor; another file as it is. */
static struct bytes for_this_processor(struct bytes file) {
    if (swapped(image_read32(file, 0)) != 0xcafebabe) return file;
    for (uint32_t index = 0; index < swapped(image_read32(file, 4)); index++) {
        uint64_t entry = 8 + 20 * (uint64_t)index;
        if (swapped(image_read32(file, entry)) == PROCESSOR) {
            return image_part(file, swapped(image_read32(file, entry + 8)), swapped(image_read32(file, entry + 12)));
        }
    }
    image_fail("no part of it is made for this processor");
}

/* Looks for what has to be done before the image can be used: functions to be called first, and memory of threads. */
static void check_sections(struct bytes segment) {
    for (uint32_t index = 0; index < image_read32(segment, 64); index++) {
        uint32_t kind = image_read32(segment, SEGMENT_SIZE + SECTION_SIZE * (uint64_t)index + 64) & 0xff;
        if (kind == 0x9 || (kind >= 0x11 && kind <= 0x16)) image_fail("a section of kind %x, which is not known", kind);
    }
}

static void read_command(struct contents *contents, struct bytes command) {
    uint32_t kind = image_read32(command, 0);
    switch (kind) {
        case SEGMENT_64:
            if (contents->count == 16) image_fail("more than 16 segments");
            check_sections(command);
            contents->segment_commands[contents->count++] = command;
            break;
        case DYLD_INFO:
        case DYLD_INFO_ONLY: contents->information = command; break;
        case EXPORTS_TRIE:
            contents->exports = image_part(contents->file, image_read32(command, 8), image_read32(command, 12));
            break;
        case CHAINED_FIXUPS: image_fail("it has chained fixups, which are not known");
        case RUN_PATH: break;
        default:
            if (kind & REQUIRED || kind == ROUTINES_64) image_fail("load command %x, which is not known", kind);
    }
}

static struct contents read_commands(struct bytes file) {
    struct contents contents = {.file = file};
    if (image_read32(file, 0) != 0xfeedfacf || image_read32(file, 4) != PROCESSOR || image_read32(file, 12) != 6) {
        image_fail("not a Mach-O library for this processor");
    }
    struct bytes commands = image_part(file, HEADER_SIZE, image_read32(file, 20));
    uint64_t at = 0;
    for (uint32_t index = 0; index < image_read32(file, 16); index++) {
        uint32_t size = image_read32(commands, at + 4);
        read_command(&contents, image_part(commands, at, size));
        at += size;
    }
    return contents;
}

/* Copies segments to where they belong, with the first one at the beginning. */
static struct mach_o_segments copy_segments(struct image *image, const struct contents *contents) {
    struct mach_o_segments segments = {.count = contents->count};
    uint64_t first = UINT64_MAX, end = 0;
    for (unsigned index = 0; index < contents->count; index++) {
        struct bytes command = contents->segment_commands[index];
        uint64_t address = image_read64(command, 24), size = image_read64(command, 32);
        segments.at[index] = (struct mach_o_segment){address, size};
        if (address + size < address) image_fail("a segment beyond all addresses");
        if (address < first) first = address;
        if (address + size > end) end = address + size;
    }
    if (contents->count == 0) image_fail("it has no segments");
    image->preferred = first;
    image_reserve(image, end - first);
    for (unsigned index = 0; index < contents->count; index++) {
        struct bytes command = contents->segment_commands[index];
        struct bytes content = image_part(contents->file, image_read64(command, 40), image_read64(command, 48));
        segments.at[index].address -= first;
        if (content.size > segments.at[index].size) image_fail("segment %u has less memory than content", index);
        memcpy(image_place(image, segments.at[index].address, content.size), content.start, (size_t)content.size);
    }
    return segments;
}

static void protect_segments(const struct image *image, const struct contents *contents,
                             const struct mach_o_segments *segments) {
    for (unsigned index = 0; index < contents->count; index++) {
        uint32_t flags = image_read32(contents->segment_commands[index], 60);
        int protection = (flags & 1 ? PROT_READ : 0) | (flags & 2 ? PROT_WRITE : 0) | (flags & 4 ? PROT_EXEC : 0);
        /* The segment with what is constant after relocation says so. */
        if (image_read32(contents->segment_commands[index], 68) & 0x10) protection &= ~PROT_WRITE;
        image_protect(image, segments->at[index].address, segments->at[index].size, protection);
    }
}

static struct bytes information(const struct contents *contents, unsigned part) {
    struct bytes command = contents->information;
    return image_part(contents->file, image_read32(command, part), image_read32(command, part + 4));
}

void mach_o_map(struct image *image, struct bytes file) {
    struct contents contents = read_commands(for_this_processor(file));
    if (!contents.information.start) image_fail("it does not say how it is relocated");
    struct mach_o_segments segments = copy_segments(image, &contents);
    mach_o_rebase(image, &segments, information(&contents, REBASES));
    mach_o_bind(image, &segments, information(&contents, BINDS), 0);
    mach_o_bind(image, &segments, information(&contents, LAZY_BINDS), 1);
    if (information(&contents, WEAK_BINDS).size > 0) image_fail("it has weak binds, which are not known");
    image->exports = contents.exports.start ? contents.exports : information(&contents, EXPORTS);
    protect_segments(image, &contents, &segments);
}
