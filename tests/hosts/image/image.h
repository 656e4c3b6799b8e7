/* Libraries for Windows and Apple's systems, mapped into a program on Linux and called there: what the loader's parts
 * share. They trust no image: whatever is out of bounds, or not known, ends the program with a message. */
#ifndef POWERSYNC_IMAGE_H
#define POWERSYNC_IMAGE_H

#include <stdint.h>

/* Whose system an image is made for. */
enum system { WINDOWS, APPLE };

/* A file, or a part of one. */
struct bytes {
    const unsigned char *start;
    uint64_t size;
};

/* An image in memory. Its addresses count from the first byte. */
struct image {
    enum system system;
    unsigned char *memory;
    uint64_t size;
    /* The address that it was linked to be at. */
    uint64_t preferred;
    /* What it exports, as its format has it. */
    struct bytes exports;
};

/* Gives each new connection the extension that is in a file; the result is SQLite's code. */
int image_register(const char *path);

/* Says what is wrong with the image and ends the program. */
_Noreturn void image_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A part of some bytes. */
struct bytes image_part(struct bytes whole, uint64_t offset, uint64_t size);
uint16_t image_read16(struct bytes bytes, uint64_t offset);
uint32_t image_read32(struct bytes bytes, uint64_t offset);
uint64_t image_read64(struct bytes bytes, uint64_t offset);
/* Text that ends with a NUL. */
const char *image_text(struct bytes bytes, uint64_t offset);

/* Makes room for the image: zeros that can be written until they are protected. */
void image_reserve(struct image *image, uint64_t size);
/* All of the image's memory. */
struct bytes image_memory(const struct image *image);
/* Memory of the image, for that many bytes. */
unsigned char *image_place(const struct image *image, uint64_t address, uint64_t size);
/* Gives pages of the image the protection that they have from now on. */
void image_protect(const struct image *image, uint64_t address, uint64_t size, int protection);
/* How far the image is from where it was linked to be. */
uint64_t image_distance(const struct image *image);
/* Adds that to a pointer of the given size in bytes. */
void image_rebase(const struct image *image, uint64_t address, unsigned size);

/* The functions of other libraries that images call, by their names on the image's system. */
void *import_find(enum system system, const char *name);

struct sqlite3_api_routines;
/* SQLite's functions as images of that system call them. */
const struct sqlite3_api_routines *api_for(enum system system, const struct sqlite3_api_routines *ours);

/* Map a library and everything that it refers to. */
void pe_map(struct image *image, struct bytes file);
void mach_o_map(struct image *image, struct bytes file);
/* A function that the library exports, NULL if it does not. */
void *pe_find(const struct image *image, const char *name);
void *mach_o_find(const struct image *image, const char *name);

/* What the dynamic linker of Apple's systems does to an image: the parts of LC_DYLD_INFO. */
struct mach_o_segment {
    uint64_t address;
    uint64_t size;
};
struct mach_o_segments {
    unsigned count;
    struct mach_o_segment at[16];
};
void mach_o_rebase(const struct image *image, const struct mach_o_segments *segments, struct bytes opcodes);
void mach_o_bind(const struct image *image, const struct mach_o_segments *segments, struct bytes opcodes, int is_lazy);

#endif
