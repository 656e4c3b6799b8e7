/* A program with SQLite and the extension linked into it: a local write through a view, in two connections. */
#include <stdio.h>

#include "powersync.h"
#include "sqlite3.h"

static int print_row(void *unused, int count, char **values, char **names) {
    (void)unused;
    (void)names;
    for (int column = 0; column < count; column++) printf("%s%s", column ? "|" : "", values[column] ? values[column] : "");
    printf("\n");
    return 0;
}

static int run(const char *file) {
    sqlite3 *db;
    char *message = NULL;
    int code = sqlite3_open(file, &db);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(db,
            "BEGIN;"
            "SELECT powersync_replace_schema('{\"tables\":[{\"name\":\"lists\",\"columns\":[{\"name\":\"name\",\"type\":\"text\"}]}]}');"
            "COMMIT;"
            "INSERT INTO lists (id, name) VALUES ('l1', 'Groceries');"
            "SELECT data FROM ps_crud;",
            print_row, NULL, &message);
    }
    if (code != SQLITE_OK) fprintf(stderr, "%d: %s\n", code, message ? message : sqlite3_errmsg(db));
    sqlite3_free(message);
    return sqlite3_close(db) | code;
}

int main(void) {
    if (powersync_init_static() != SQLITE_OK || powersync_init_static() != SQLITE_OK) return 1;
    return run(":memory:") | run(":memory:");
}
