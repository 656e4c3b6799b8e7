/* Runs scenarios of tests/scenarios on any machine that C compiles for: reads commands from standard input, one on a line,
 * and prints what came of each. What to expect of it is known to whoever wrote the commands.
 *
 *   open NAME           opens a database with the extension in it
 *   close               closes it
 *   run SQL VALUE…      runs one statement
 *   transaction SQL VALUE…   the same between BEGIN IMMEDIATE and COMMIT, rolled back if it fails
 *   logged              gives the last message that the extension logged, as a row
 *
 * Each command is answered by any number of lines `row VALUE…`, then `done` or `error CODE MESSAGE`. A value is `n` (NULL),
 * `i` and an integer, `r` and a real, `t` and text, or `b` and a blob; texts, SQL, names and blobs are hexadecimal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite3.h"
/* How the extension gets into connections: linked, mapped by our own loader (see ../image), or loaded by SQLite. */
#if defined(POWERSYNC_STATIC)
#include "powersync.h"
/* For all connections, by the function for that or by the entry point. */
#ifdef POWERSYNC_ENTRY_POINT
#define register_extension() sqlite3_auto_extension((void (*)(void))sqlite3_powersync_init)
#else
#define register_extension() powersync_init_static()
#endif
#elif defined(POWERSYNC_IMAGE)
#include "image.h"
#endif

/* Decodes hexadecimal in place; gives the number of bytes, of which a NUL follows. */
static int decode(char *text) {
    int size = 0;
    for (; text[2 * size] && text[2 * size + 1]; size++) {
        char digits[3] = {text[2 * size], text[2 * size + 1], 0};
        text[size] = (char)strtol(digits, NULL, 16);
    }
    text[size] = 0;
    return size;
}

static void print_encoded(const void *bytes, int size) {
    for (int index = 0; index < size; index++) printf("%02x", ((const unsigned char *)bytes)[index]);
}

static int fail(sqlite3 *db, int code, const char *message) {
    if (!message) message = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    printf("error %d ", db ? sqlite3_extended_errcode(db) : code);
    print_encoded(message, (int)strlen(message));
    printf("\n");
    return code;
}

static int bind(sqlite3_stmt *statement, int position, char *value) {
    char *rest = value + 1;
    switch (*value) {
        case 'i': return sqlite3_bind_int64(statement, position, strtoll(rest, NULL, 10));
        case 'r': return sqlite3_bind_double(statement, position, strtod(rest, NULL));
        case 't': {
            int size = decode(rest);
            return sqlite3_bind_text(statement, position, rest, size, SQLITE_TRANSIENT);
        }
        case 'b': {
            int size = decode(rest);
            return sqlite3_bind_blob(statement, position, rest, size, SQLITE_TRANSIENT);
        }
        default: return sqlite3_bind_null(statement, position);
    }
}

static void print_value(sqlite3_stmt *statement, int column) {
    switch (sqlite3_column_type(statement, column)) {
        case SQLITE_INTEGER: printf(" i%lld", (long long)sqlite3_column_int64(statement, column)); break;
        case SQLITE_FLOAT: printf(" r%.17g", sqlite3_column_double(statement, column)); break;
        case SQLITE_TEXT:
            printf(" t");
            print_encoded(sqlite3_column_text(statement, column), sqlite3_column_bytes(statement, column));
            break;
        case SQLITE_BLOB:
            printf(" b");
            print_encoded(sqlite3_column_blob(statement, column), sqlite3_column_bytes(statement, column));
            break;
        default: printf(" n");
    }
}

/* Runs one statement with what is left of the command as its parameters; prints rows, or the error. */
static int run(sqlite3 *db, char *sql) {
    sqlite3_stmt *statement = NULL;
    decode(sql);
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    char *value;
    for (int position = 1; code == SQLITE_OK && (value = strtok(NULL, " ")); position++) {
        code = bind(statement, position, value);
    }
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW) break;
        printf("row");
        for (int column = 0; column < sqlite3_column_count(statement); column++) print_value(statement, column);
        printf("\n");
    }
    if (code != SQLITE_DONE) fail(db, code, NULL);
    sqlite3_finalize(statement);
    return code;
}

static void run_in_transaction(sqlite3 *db, char *sql) {
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
        fail(db, 1, NULL);
        return;
    }
    if (run(db, sql) == SQLITE_DONE) {
        int code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        if (code == SQLITE_OK) {
            printf("done\n");
            return;
        }
        fail(db, code, NULL);
    }
    if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
}

static const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;

/* Keeps a database in memory alive while it is closed and opened again. */
static void keep(const char *name) {
    static sqlite3 *keeper = NULL;
    if (!keeper && strstr(name, "vfs=memdb")) sqlite3_open_v2(name, &keeper, flags, NULL);
}

static sqlite3 *open_with_extension(const char *name, const char *library) {
    sqlite3 *db = NULL;
    char *message = NULL;
    keep(name);
    int code = sqlite3_open_v2(name, &db, flags, NULL);
#if defined(POWERSYNC_STATIC) || defined(POWERSYNC_IMAGE)
    (void)library;
#else
    if (code == SQLITE_OK) {
        sqlite3_enable_load_extension(db, 1);
        code = sqlite3_load_extension(db, library, "sqlite3_powersync_init", &message);
    }
#endif
    if (code == SQLITE_OK) {
        printf("done\n");
    } else {
        fail(NULL, code, message ? message : sqlite3_errmsg(db));
    }
    sqlite3_free(message);
    return db;
}

static char logged[1024];

/* Keeps what the extension logs, and not what SQLite does. */
static void keep_logged(void *unused, int code, const char *message) {
    (void)unused, (void)code;
    if (strncmp(message, "powersync", 9) == 0) snprintf(logged, sizeof logged, "%s", message);
}

static void command(sqlite3 **db, const char *library, char *line) {
    char *word = strtok(line, " "), *argument = word ? strtok(NULL, " ") : NULL;
    if (!word) return;
    if (!strcmp(word, "open") && argument) {
        decode(argument);
        *db = open_with_extension(argument, library);
    } else if (!strcmp(word, "close")) {
        int code = sqlite3_close(*db);
        if (code == SQLITE_OK) printf("done\n");
        else fail(*db, code, NULL);
        *db = NULL;
    } else if (!strcmp(word, "run") && argument) {
        if (run(*db, argument) == SQLITE_DONE) printf("done\n");
    } else if (!strcmp(word, "transaction") && argument) {
        run_in_transaction(*db, argument);
    } else if (!strcmp(word, "logged")) {
        printf("row t");
        print_encoded(logged, (int)strlen(logged));
        printf("\ndone\n");
    } else {
        fail(NULL, SQLITE_MISUSE, "no such command");
    }
}

/* Reads a line of any length, without its end; NULL after the last one. The caller frees it. */
static char *read_line(void) {
    size_t size = 0, capacity = 4096;
    char *line = malloc(capacity);
    int character;
    while (line && (character = getchar()) != EOF && character != '\n') {
        if (character == '\r') continue;
        line[size++] = (char)character;
        if (size == capacity) line = realloc(line, capacity *= 2);
    }
    if (!line || (size == 0 && (feof(stdin) || ferror(stdin)))) {
        free(line);
        return NULL;
    }
    line[size] = 0;
    return line;
}

int main(int count, char **arguments) {
    sqlite3 *db = NULL;
    char *line;
    const char *library = count > 1 ? arguments[1] : NULL;
    sqlite3_config(SQLITE_CONFIG_LOG, keep_logged, NULL);
#ifdef POWERSYNC_STATIC
    if (register_extension() != SQLITE_OK) return 1;
#else
    if (!library) return 2;
#ifdef POWERSYNC_IMAGE
    if (image_register(library) != SQLITE_OK) return 1;
#endif
#endif
    while ((line = read_line())) {
        command(&db, library, line);
        fflush(stdout);
        free(line);
    }
    return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
