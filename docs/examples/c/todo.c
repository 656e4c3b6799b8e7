// A todo app that works offline, without an SDK: SQLite, which also reads the JSON, and libcurl.
//
//     cc -o target/todo-c docs/examples/c/todo.c -lsqlite3 -lcurl
//
// usage: todo list | add LIST TEXT | done TODO | sync | watch
//
// `list`, `add` and `done` use the database alone. `sync` and `watch` are the loop of docs/write-an-sdk.md. To keep it short,
// only one of them may run at a time for a file, downloads wait while changes are uploaded or a token is fetched, and errors
// of the database end the program, as does a lack of memory.

#include <curl/curl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Always the same text: so the extension sees at once that nothing has changed.
static const char SCHEMA[] =
    "{\"tables\": [{\"name\": \"lists\", \"columns\": [{\"name\": \"name\", \"type\": \"text\"}]},"
    " {\"name\": \"todos\", \"columns\": [{\"name\": \"list_id\", \"type\": \"text\"},"
    " {\"name\": \"description\", \"type\": \"text\"}, {\"name\": \"done\", \"type\": \"integer\"},"
    " {\"name\": \"created_at\", \"type\": \"text\"}]}]}";
static const char ADD[] =
    "INSERT INTO todos (id, list_id, description, done, created_at)"
    " VALUES (uuid(), ?, ?, 0, strftime('%Y-%m-%d %H:%M:%f', 'now'))";
static const char SHOW[] =
    "SELECT coalesce(group_concat(line, char(10)), '') FROM (SELECT line FROM ("
    " SELECT 1 AS part, name, id AS list, '' AS at, name || ' (' || id || ')' AS line FROM lists UNION ALL"
    " SELECT 1, name, list_id, created_at, '  [' || iif(done, 'x', ' ') || '] ' || description || ' (' || todos.id || ')'"
    "  FROM todos JOIN lists ON lists.id = list_id UNION ALL"
    " SELECT 2, '', '', '', 'waiting to be uploaded: ' || n FROM (SELECT count(*) AS n FROM ps_crud) WHERE n > 0)"
    " ORDER BY part, name, list, at)";
static const char UNKNOWN[] = "9223372036854775807";  // the write checkpoint to wait for, until the service names one

typedef struct {
    char *text;
    size_t size;
} Buffer;

static sqlite3 *db;
static char *token, *stream_request, *shown;
static bool is_watching, is_open, hide_disconnect, wants_upload, has_synced;
static double delay = 0.5;

static const char *setting(const char *name, const char *otherwise) {
    return getenv(name) ? getenv(name) : otherwise;
}

static void check(bool is_fine) {
    if (is_fine) return;
    fprintf(stderr, "todo: %s\n", sqlite3_errmsg(db));
    exit(1);  // SQLite rolls an open transaction back
}

static sqlite3_stmt *prepare(const char *sql, const char *a, const char *b) {
    sqlite3_stmt *statement;
    check(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK);
    if (a) check(sqlite3_bind_text(statement, 1, a, -1, SQLITE_TRANSIENT) == SQLITE_OK);
    if (b) check(sqlite3_bind_text(statement, 2, b, -1, SQLITE_TRANSIENT) == SQLITE_OK);
    return statement;
}

// The only value of a query, or NULL. The caller frees it.
static char *value(const char *sql, const char *a, const char *b) {
    sqlite3_stmt *statement = prepare(sql, a, b);
    const char *text = sqlite3_step(statement) == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    char *copy = text ? strdup(text) : NULL;
    check(sqlite3_finalize(statement) == SQLITE_OK);
    return copy;
}

static bool is(const char *sql, const char *a) {
    char *answer = value(sql, a, NULL);
    bool is_true = answer && strcmp(answer, "0") != 0;
    free(answer);
    return is_true;
}

static char *transaction(const char *sql, const char *a, const char *b) {
    check(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    char *result = value(sql, a, b);
    check(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    return result;
}

static void show(void) {
    char *lines = value(SHOW, NULL, NULL);
    if (is_watching && strcmp(lines, shown ? shown : "")) printf("%s\n\n", lines);
    fflush(stdout);
    free(shown);
    shown = lines;
}

// Sends a request, a GET if there is no body. `take` gets the answer.
static bool perform(CURL *curl, const char *path, const char *body, curl_write_callback take, void *buffer) {
    char *url = sqlite3_mprintf("%s%s", setting("TODO_URL", "http://127.0.0.1:8080"), path);
    char *authorization = sqlite3_mprintf("Authorization: Token %s", token ? token : "");
    struct curl_slist *headers = curl_slist_append(curl_slist_append(NULL, authorization), "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, buffer);
    if (body) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    CURLcode result = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 401) free(token), token = NULL;  // the next request gets a new one
    if (result != CURLE_OK && is_open) fprintf(stderr, "offline: %s: %s\n", path, curl_easy_strerror(result));
    curl_slist_free_all(headers);
    sqlite3_free(url);
    sqlite3_free(authorization);
    curl_easy_cleanup(curl);
    return result == CURLE_OK;
}

static size_t append(char *bytes, size_t unit, size_t size, void *user) {
    Buffer *buffer = user;
    buffer->text = realloc(buffer->text, buffer->size + unit * size + 1);
    if (!buffer->text) abort();
    memcpy(buffer->text + buffer->size, bytes, unit * size);
    buffer->size += unit * size;
    buffer->text[buffer->size] = 0;
    return unit * size;
}

// The answer, or NULL. The caller frees it.
static char *request(const char *path, const char *body) {
    Buffer answer = {NULL, 0};
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    if (perform(curl, path, body, append, &answer)) return answer.text;
    free(answer.text);
    return NULL;
}

static bool get_token(void) {
    if (token) return true;
    char *user = curl_easy_escape(NULL, setting("TODO_USER", "alice"), 0);
    char *path = sqlite3_mprintf("/dev/token?user=%s", user);
    token = request(path, NULL);
    curl_free(user);
    sqlite3_free(path);
    return token;
}

// Tells the extension of an event, and carries out its instructions: after the COMMIT, in their order.
static void control(const char *command, const char *payload) {
    char *instructions = transaction("SELECT powersync_control(?, ?)", command, payload);
    const char *sql = "SELECT one.key, one.value FROM json_each(?) AS each_one, json_each(each_one.value) AS one";
    sqlite3_stmt *statement = prepare(sql, instructions, NULL);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        const char *members = (const char *)sqlite3_column_text(statement, 1);
        if (!strcmp(name, "LogLine") && is("SELECT ? ->> '$.severity' = 'WARNING'", members)) {
            fprintf(stderr, "%s\n", members);
        } else if (!strcmp(name, "EstablishSyncStream")) {
            is_open = true;
            free(stream_request);
            stream_request = value("SELECT ? -> '$.request'", members, NULL);
        } else if (!strcmp(name, "FetchCredentials")) {
            free(token), token = NULL;  // if it is still valid for some seconds, `tick` gets a new one meanwhile
        } else if (!strcmp(name, "CheckpointDelayedDueToLocalData")) {
            wants_upload = true;
        } else if (!strcmp(name, "DidCompleteSync")) {
            // This does not come as long as local writes are not acknowledged. So they are synced, too.
            has_synced = true;
            delay = 0.5;
            show();
        } else if (!strcmp(name, "CloseSyncStream")) {
            is_open = false;
            hide_disconnect = is("SELECT ? ->> '$.hide_disconnect'", members);
        }
    }
    check(sqlite3_finalize(statement) == SQLITE_OK);
    free(instructions);
    if (is_open && has_synced && !is_watching) control("stop", NULL);
}

static bool apply_results(const char *batch, const char *answer) {
    char *ids = value("SELECT json_object('transaction_ids', json_group_array(value ->> '$.transaction_id'))"
                      " FROM json_each(?, '$.transactions')", batch, NULL);
    char *done = transaction("SELECT powersync_crud_results(? -> '$.results', ?)", answer, ids), *id;
    bool is_progress = is("SELECT (?1 ->> '$.completed') + json_array_length(?1, '$.rejected')", done);
    while ((id = value("SELECT min(transaction_id) FROM powersync_rejected", NULL, NULL))) {
        // The next checkpoint undoes what the service refuses for good. An app can also let its user correct it.
        const char *sql = "SELECT op || ' ' || type || ': ' || message FROM powersync_rejected WHERE transaction_id = ?";
        char *why = value(sql, id, NULL);
        printf("refused: %s\n", why);
        free(why);
        free(transaction("SELECT powersync_crud_discard(?)", id, NULL));
        free(id);
    }
    free(ids);
    free(done);
    if (!is_progress) fprintf(stderr, "the service cannot take the changes now\n");
    return is_progress;
}

// Sends the queue, oldest transaction first, and then asks which write checkpoint acknowledges it.
static bool upload(void) {
    bool is_fine = true;
    wants_upload = false;
    for (bool is_more = true; is_fine && is_more;) {
        char *batch = value("SELECT powersync_crud_next(50, 1000000)", NULL, NULL);
        is_more = is("SELECT json_array_length(?, '$.transactions')", batch);
        char *answer = is_more ? request("/api/data", batch) : NULL;
        if (is_more) is_fine = answer && apply_results(batch, answer);
        free(answer);
        free(batch);
    }
    char *target = transaction("SELECT powersync_control('target_checkpoint_request_id', NULL)", NULL, NULL);
    if (is_fine && target && !strcmp(target, UNKNOWN)) {
        char *last_entry = value("SELECT seq FROM sqlite_sequence WHERE name = 'ps_crud'", NULL, NULL);
        char *path = value("SELECT '/write-checkpoint2.json?client_id=' || powersync_client_id()", NULL, NULL);
        char *answer = request(path, NULL);
        // This stores nothing if there are new entries, since the checkpoint may not cover them.
        const char *sql = "SELECT powersync_crud_complete(?, ? ->> '$.data.write_checkpoint')";
        if ((is_fine = answer)) free(transaction(sql, last_entry, answer));
        free(last_entry);
        free(path);
        free(answer);
    }
    free(target);
    if (is_fine) control("completed_upload", NULL);
    return is_fine;
}

// libcurl calls this with what has arrived, and then reads on. So the network waits if the database is slower.
static size_t receive(char *bytes, size_t unit, size_t size, void *user) {
    Buffer *line = user;
    char *start = bytes, *end = bytes + unit * size, *newline;
    while (is_open && (newline = memchr(start, '\n', end - start))) {
        append(start, 1, newline - start, line);
        control("line_text", line->text);
        line->size = 0;
        start = newline + 1;
    }
    append(start, 1, end - start, line);
    return is_open ? unit * size : 0;  // less than all ends the request
}

// libcurl calls this about every second.
static int tick(void *user, curl_off_t total, curl_off_t now, curl_off_t upload_total, curl_off_t upload_now) {
    static time_t last;
    if (last == time(NULL)) return !is_open;
    last = time(NULL);
    if (is_open && !token && get_token()) control("refreshed_token", NULL);
    // Another process may have written to the file. If this fails, the queue stays for the next time.
    if (is_open && (wants_upload || is("SELECT count(*) FROM ps_crud", NULL))) upload();
    show();
    return !is_open;
}

// One iteration, until the extension closes it or the network fails.
static void iteration(void) {
    Buffer line = {NULL, 0};
    control("start", "{}");
    if (get_token() && upload()) {
        CURL *curl = curl_easy_init();
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, tick);
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        // There is a keep-alive every 20 seconds. After 60 seconds of silence the connection is dead.
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
        // `connection` with 'established' is left out: the first line says the same.
        perform(curl, "/sync/stream", stream_request, receive, &line);
    }
    if (is_open) control("connection", "end");
    free(line.text);
}

// Connects again and again; if nobody is watching, until everything has synced or there is no connection.
static bool sync_lists(void) {
    while (is_watching || !has_synced) {
        iteration();
        if (hide_disconnect) continue;
        if (!is_watching) break;
        // A part is random, so that not all clients of a service that was away return at the same moment.
        usleep(delay * (750000 + rand() % 250000));
        delay = delay < 15 ? 2 * delay : 30;
    }
    return has_synced;
}

int main(int count, char **arguments) {
    const char *command = count > 1 ? arguments[1] : "";
    bool is_fine = true;
    srand(getpid());
    check(sqlite3_open(setting("TODO_FILE", "todo.db"), &db) == SQLITE_OK);
    sqlite3_busy_timeout(db, 30000);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    const char *library = setting("POWERSYNC_LIBRARY", "target/release/libpowersync");
    check(sqlite3_load_extension(db, library, "sqlite3_powersync_init", NULL) == SQLITE_OK);
    check(sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", NULL, NULL, NULL) == SQLITE_OK);
    free(transaction("SELECT powersync_replace_schema(?)", SCHEMA, NULL));
    if (!strcmp(command, "add") && count == 4) {
        free(value(ADD, arguments[2], arguments[3]));
    } else if (!strcmp(command, "done") && count == 3) {
        free(value("UPDATE todos SET done = 1 WHERE id = ?", arguments[2], NULL));
    } else if (!strcmp(command, "sync") || !strcmp(command, "watch")) {
        is_watching = !strcmp(command, "watch");
        is_fine = sync_lists();
    } else if (strcmp(command, "list")) {
        fprintf(stderr, "usage: todo list | add LIST TEXT | done TODO | sync | watch\n");
        return 2;
    }
    char *lines = value(SHOW, NULL, NULL);
    printf("%s\n", lines);
    free(lines);
    sqlite3_close(db);
    return is_fine ? 0 : 1;
}
