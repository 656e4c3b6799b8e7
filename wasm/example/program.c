/* What the example's page calls: one database in memory, and statements with their parameters and rows as JSON. Built as
 * wasm/README.md says. */
#include <string.h>

#include "powersync.h"
#include "sqlite3.h"

#ifdef __EMSCRIPTEN__
#include <emscripten.h>
#define EXPORT(name) EMSCRIPTEN_KEEPALIVE
#else
#include <unistd.h>
#define EXPORT(name) __attribute__((export_name(#name)))

/* SQLite looks for randomness in /dev/urandom; with WASI there is no such file, and it would make do with the time. */
static int randomness(sqlite3_vfs *vfs, int size, char *bytes) {
    (void)vfs;
    int filled = 0;
    while (filled < size) {
        int part = size - filled < 256 ? size - filled : 256;
        if (getentropy(bytes + filled, (size_t)part) != 0) return filled;
        filled += part;
    }
    return filled;
}
#endif

static sqlite3 *db = NULL;
/* Makes JSON of a value, and values of a JSON array. */
static sqlite3_stmt *quote = NULL, *values = NULL;

/* Memory for texts that are given to the function below. */
EXPORT(allocate) void *allocate(int size) { return sqlite3_malloc(size); }
EXPORT(release) void release(void *memory) { sqlite3_free(memory); }

/* Opens the database. Gives an SQLite result code. */
EXPORT(open_database) int open_database(void) {
    int code = sqlite3_initialize();
#ifdef __wasi__
    if (code == SQLITE_OK) sqlite3_vfs_find(NULL)->xRandomness = randomness;
#endif
    if (code == SQLITE_OK) code = powersync_init_static();
    if (code == SQLITE_OK) code = sqlite3_open(":memory:", &db);
    if (code == SQLITE_OK) code = sqlite3_prepare_v2(db, "SELECT json_quote(?)", -1, &quote, NULL);
    if (code == SQLITE_OK) code = sqlite3_prepare_v2(db, "SELECT value FROM json_each(?)", -1, &values, NULL);
    return code;
}

static int bind(sqlite3_stmt *statement, const char *parameters) {
    sqlite3_bind_text(values, 1, parameters, -1, SQLITE_STATIC);
    int code = SQLITE_OK;
    for (int position = 1; code == SQLITE_OK && sqlite3_step(values) == SQLITE_ROW; position++) {
        code = sqlite3_bind_value(statement, position, sqlite3_column_value(values, 0));
    }
    int read = sqlite3_reset(values);
    return code == SQLITE_OK ? read : code;
}

static void append_quoted(sqlite3_str *json, sqlite3_value *value) {
    sqlite3_bind_value(quote, 1, value);
    if (sqlite3_step(quote) == SQLITE_ROW) {
        sqlite3_str_appendall(json, (const char *)sqlite3_column_text(quote, 0));
    } else {
        sqlite3_str_appendall(json, "null"); /* JSON has no blobs. */
    }
    sqlite3_reset(quote);
}

static void append_row(sqlite3_str *json, sqlite3_stmt *statement) {
    sqlite3_str_appendall(json, sqlite3_str_length(json) > 1 ? ",[" : "[");
    for (int column = 0; column < sqlite3_column_count(statement); column++) {
        if (column) sqlite3_str_appendchar(json, 1, ',');
        append_quoted(json, sqlite3_column_value(statement, column));
    }
    sqlite3_str_appendchar(json, 1, ']');
}

/* Runs a statement with a JSON array of parameters. Gives an array of rows, each an array of values, or a text with the
 * message if it fails; NULL if memory is short. `release` frees it. */
EXPORT(execute) char *execute(const char *sql, const char *parameters) {
    sqlite3_stmt *statement = NULL;
    sqlite3_str *json = sqlite3_str_new(db);
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) code = bind(statement, parameters);
    sqlite3_str_appendchar(json, 1, '[');
    if (code == SQLITE_OK) {
        while ((code = sqlite3_step(statement)) == SQLITE_ROW) append_row(json, statement);
    }
    sqlite3_str_appendchar(json, 1, ']');
    if (code != SQLITE_DONE) {
        sqlite3_str_reset(json);
        sqlite3_bind_text(quote, 1, sqlite3_errmsg(db), -1, SQLITE_TRANSIENT);
        sqlite3_step(quote);
        sqlite3_str_appendall(json, (const char *)sqlite3_column_text(quote, 0));
        sqlite3_reset(quote);
    }
    sqlite3_finalize(statement);
    return sqlite3_str_finish(json);
}
