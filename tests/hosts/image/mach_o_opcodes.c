/* What Mach-O libraries have written in opcodes and numbers of variable length: where pointers are that move with the image
 * (rebases) or are to functions of other libraries (binds), and the trie of what is exported. */
#include <stdio.h>
#include <string.h>

#include "image.h"

enum { POINTER = 8 };

/* A reader's place. */
struct reader {
    struct bytes bytes;
    uint64_t at;
};

static unsigned read_byte(struct reader *reader) {
    return *image_part(reader->bytes, reader->at++, 1).start;
}

/* A number in groups of seven bits, the lowest first. */
static uint64_t read_number(struct reader *reader) {
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned byte = read_byte(reader);
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return number;
    }
    image_fail("a number of more than 64 bits");
}

static const char *read_text(struct reader *reader) {
    const char *text = image_text(reader->bytes, reader->at);
    reader->at += strlen(text) + 1;
    return text;
}

/* The place of the next pointer, inside of one segment. */
struct cursor {
    struct mach_o_segment segment;
    uint64_t offset;
};

static void set_segment(struct cursor *cursor, const struct mach_o_segments *segments, unsigned index,
                        struct reader *reader) {
    if (index >= segments->count) image_fail("there is no segment %u", index);
    cursor->segment = segments->at[index];
    cursor->offset = read_number(reader);
}

/* The address of the pointer; the cursor goes on behind it and the bytes to be skipped. */
static uint64_t next(struct cursor *cursor, uint64_t skip) {
    uint64_t offset = cursor->offset;
    if (offset > cursor->segment.size || cursor->segment.size - offset < POINTER) {
        image_fail("a pointer at %llu, out of its segment", (unsigned long long)offset);
    }
    cursor->offset += POINTER + skip;
    return cursor->segment.address + offset;
}

static void rebase(const struct image *image, struct cursor *cursor, uint64_t count, uint64_t skip) {
    for (; count > 0; count--) image_rebase(image, next(cursor, skip), POINTER);
}

void mach_o_rebase(const struct image *image, const struct mach_o_segments *segments, struct bytes opcodes) {
    struct reader reader = {opcodes, 0};
    struct cursor cursor = {{0, 0}, 0};
    while (reader.at < opcodes.size) {
        unsigned opcode = read_byte(&reader), immediate = opcode & 0xf;
        uint64_t count;
        switch (opcode & 0xf0) {
            case 0x00: return;
            case 0x10:
                if (immediate != 1) image_fail("a rebase of kind %u, which is not known", immediate);
                break;
            case 0x20: set_segment(&cursor, segments, immediate, &reader); break;
            case 0x30: cursor.offset += read_number(&reader); break;
            case 0x40: cursor.offset += immediate * POINTER; break;
            case 0x50: rebase(image, &cursor, immediate, 0); break;
            case 0x60: rebase(image, &cursor, read_number(&reader), 0); break;
            case 0x70: rebase(image, &cursor, 1, read_number(&reader)); break;
            case 0x80:
                count = read_number(&reader);
                rebase(image, &cursor, count, read_number(&reader));
                break;
            default: image_fail("rebase opcode %x, which is not known", opcode);
        }
    }
}

static void bind(const struct image *image, struct cursor *cursor, const char *name, uint64_t count, uint64_t skip) {
    if (!name) image_fail("a bind without a name");
    uint64_t function = (uint64_t)(uintptr_t)import_find(APPLE, name);
    for (; count > 0; count--) memcpy(image_place(image, next(cursor, skip), POINTER), &function, POINTER);
}

/* One opcode that is not the last one. Which library has a function is not asked: the names are of different ones. */
static void bind_step(const struct image *image, const struct mach_o_segments *segments, struct reader *reader,
                      struct cursor *cursor, const char **name) {
    unsigned opcode = read_byte(reader), immediate = opcode & 0xf;
    uint64_t count;
    switch (opcode & 0xf0) {
        case 0x10:
        case 0x30: break;
        case 0x20: read_number(reader); break;
        case 0x40: *name = read_text(reader); break;
        case 0x50:
            if (immediate != 1) image_fail("a bind of kind %u, which is not known", immediate);
            break;
        case 0x70: set_segment(cursor, segments, immediate, reader); break;
        case 0x80: cursor->offset += read_number(reader); break;
        case 0x90: bind(image, cursor, *name, 1, 0); break;
        case 0xa0: bind(image, cursor, *name, 1, read_number(reader)); break;
        case 0xb0: bind(image, cursor, *name, 1, immediate * POINTER); break;
        case 0xc0:
            count = read_number(reader);
            bind(image, cursor, *name, count, read_number(reader));
            break;
        default: image_fail("bind opcode %x, which is not known", opcode);
    }
}

void mach_o_bind(const struct image *image, const struct mach_o_segments *segments, struct bytes opcodes, int is_lazy) {
    struct reader reader = {opcodes, 0};
    struct cursor cursor = {{0, 0}, 0};
    const char *name = NULL;
    while (reader.at < opcodes.size) {
        if (*image_part(opcodes, reader.at, 1).start != 0) {
            bind_step(image, segments, &reader, &cursor, &name);
        } else if (is_lazy) {
            /* Lazy binds end one by one, for the dynamic linker does each alone. */
            reader.at++;
        } else {
            return;
        }
    }
}

/* Goes to the child of a node that the rest of a name leads to; takes off what led there. A node begins with what is
 * exported by the name that led to it, of no size if nothing is; then come its children, each with a part of the name and
 * its place. */
static int descend(struct reader *reader, const char **rest) {
    uint64_t size = read_number(reader);
    reader->at += size;
    for (unsigned children = read_byte(reader); children > 0; children--) {
        const char *part = read_text(reader);
        uint64_t place = read_number(reader);
        if (!*part) image_fail("a part of a name is empty");
        if (strncmp(*rest, part, strlen(part)) != 0) continue;
        *rest += strlen(part);
        reader->at = place;
        return 1;
    }
    return 0;
}

void *mach_o_find(const struct image *image, const char *name) {
    struct reader reader = {image->exports, 0};
    char symbol[64];
    const char *rest = symbol;
    snprintf(symbol, sizeof symbol, "_%s", name);
    if (reader.bytes.size == 0) return NULL;
    while (*rest) {
        if (!descend(&reader, &rest)) return NULL;
    }
    if (read_number(&reader) == 0) return NULL;
    uint64_t flags = read_number(&reader);
    if (flags != 0) image_fail("%s is exported with flags %llx, which are not known", name, (unsigned long long)flags);
    return image_place(image, read_number(&reader), 1);
}
