/* The functions that images call: a few of their systems' libraries, and SQLite's, by their names or in its API table. Where
 * a system has another way of calling than Linux, a function here stands between the two. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "image.h"
#define SQLITE_CORE
#include "sqlite3ext.h"

/* Apple's systems would call it where a function is called for the first time; here none is left to be found then. */
static void never_called(void) {
    image_fail("a function that was found is looked for");
}

#ifdef __i386__
/* Calculations that compilers for Windows leave to its ntdll.dll. */
#define CALCULATION(name, number, operator)                                       \
    static number __attribute__((stdcall)) name(number left, number right) {      \
        return left operator right;                                               \
    }
CALCULATION(divide, long long, /)
CALCULATION(divide_unsigned, unsigned long long, /)
CALCULATION(remainder_of, long long, %)
CALCULATION(remainder_of_unsigned, unsigned long long, %)
CALCULATION(multiply, unsigned long long, *)
#endif

/* By their names in C: on Apple's systems they have one underscore more. */
static const struct {
    const char *name;
    void *function;
} system_functions[] = {
    {"__bzero", bzero}, {"bcmp", bcmp},       {"bzero", bzero},   {"memcmp", memcmp},
    {"memcpy", memcpy}, {"memmove", memmove}, {"memset", memset}, {"strlen", strlen},
#ifdef __i386__
    {"_alldiv", divide},       {"_aulldiv", divide_unsigned},      {"_allmul", multiply},
    {"_allrem", remainder_of}, {"_aullrem", remainder_of_unsigned},
#endif
};

#ifdef __aarch64__
/* Variable arguments come in registers on Linux and Windows, but on the stack on Apple's systems: behind eight registers,
 * for a function that takes them by number. The library gives one argument, which is a text. */
static void log_from_apple(int code, const char *format, long third, long fourth, long fifth, long sixth, long seventh,
                           long eighth, const char *text) {
    (void)third, (void)fourth, (void)fifth, (void)sixth, (void)seventh, (void)eighth;
    if (strcmp(format, "%s") != 0) image_fail("it logs with the format %s, which is not known", format);
    sqlite3_log(code, "%s", text);
}

/* Stands for SQLite's other functions with variable arguments. But sqlite3_vtab_config can be called: the option that the
 * library sets has no further argument. */
static void not_translated(void) {
    image_fail("a function with variable arguments is called, which is not known");
}
#endif

#ifdef __i386__
/* sqlite3_index_info as it is on Windows, where numbers of 64 bits lie at multiples of 8 bytes. */
struct windows_index_info {
    char same[offsetof(sqlite3_index_info, estimatedCost)];
    double cost __attribute__((aligned(8)));
    sqlite3_int64 rows __attribute__((aligned(8)));
    int flags;
    sqlite3_uint64 columns __attribute__((aligned(8)));
};

/* A module with another xBestIndex than the library's own. */
struct module {
    sqlite3_module ours;
    const sqlite3_module *theirs;
};

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
    struct windows_index_info theirs = {
        .cost = info->estimatedCost, .rows = info->estimatedRows, .flags = info->idxFlags, .columns = info->colUsed};
    memcpy(theirs.same, info, sizeof theirs.same);
    const struct module *module = (const struct module *)table->pModule;
    int code = module->theirs->xBestIndex(table, (sqlite3_index_info *)&theirs);
    memcpy(info, theirs.same, sizeof theirs.same);
    info->estimatedCost = theirs.cost;
    info->estimatedRows = theirs.rows;
    info->idxFlags = theirs.flags;
    return code;
}

static int create_module(sqlite3 *db, const char *name, const sqlite3_module *theirs, void *state,
                         void (*destroy)(void *)) {
    static struct module modules[8];
    struct module *module = modules;
    if (!theirs) return sqlite3_create_module_v2(db, name, NULL, state, destroy);
    while (module->theirs && module->theirs != theirs) {
        if (++module == modules + 8) image_fail("more than 8 modules");
    }
    *module = (struct module){*theirs, theirs};
    module->ours.xBestIndex = best_index;
    return sqlite3_create_module_v2(db, name, &module->ours, state, destroy);
}
#endif

const struct sqlite3_api_routines *api_for(enum system system, const struct sqlite3_api_routines *ours) {
    static sqlite3_api_routines table;
    table = *ours;
#ifdef __aarch64__
#define NOT_TRANSLATED(entry) table.entry = (__typeof__(table.entry))not_translated
    NOT_TRANSLATED(mprintf);
    NOT_TRANSLATED(xsnprintf);
    NOT_TRANSLATED(vmprintf);
    NOT_TRANSLATED(xvsnprintf);
    NOT_TRANSLATED(test_control);
    NOT_TRANSLATED(db_config);
    NOT_TRANSLATED(str_appendf);
    NOT_TRANSLATED(str_vappendf);
    if (system == APPLE) table.log = (__typeof__(table.log))(void (*)(void))log_from_apple;
#endif
#ifdef __i386__
    table.create_module_v2 = create_module;
#endif
    (void)system;
    return &table;
}

/* A function of SQLite, for images that a static library was linked to. */
static void *sqlite_function(enum system system, const char *name) {
    (void)system;
#ifdef __aarch64__
    if (strcmp(name, "sqlite3_log") == 0 && system == APPLE) return log_from_apple;
    if (strstr(name, "printf") || strstr(name, "append") || strstr(name, "_config") || strstr(name, "test_control")) {
        if (strcmp(name, "sqlite3_vtab_config") != 0) return not_translated;
    }
#endif
#ifdef __i386__
    if (strcmp(name, "sqlite3_create_module_v2") == 0) return create_module;
#endif
    return dlsym(RTLD_DEFAULT, name);
}

void *import_find(enum system system, const char *name) {
    if (system == APPLE && strcmp(name, "dyld_stub_binder") == 0) return never_called;
    const char *plain = system == APPLE && *name == '_' ? name + 1 : name;
    for (size_t index = 0; index < sizeof system_functions / sizeof *system_functions; index++) {
        if (strcmp(system_functions[index].name, plain) == 0) return system_functions[index].function;
    }
    void *function = strncmp(plain, "sqlite3_", 8) == 0 ? sqlite_function(system, plain) : NULL;
    if (!function) image_fail("it imports %s, which is not known", name);
    return function;
}
