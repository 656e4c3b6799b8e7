/* The PowerSync SQLite extension, as a library that is loaded into SQLite. */
#ifndef POWERSYNC_H
#define POWERSYNC_H

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;
struct sqlite3_api_routines;

/* The entry point, which SQLite calls when it loads the extension into a connection. Programs may give it to
 * sqlite3_auto_extension. On failure returns an SQLite error code and sets *error_message, if error_message is not NULL,
 * to a text that the caller frees with sqlite3_free. */
int sqlite3_powersync_init(struct sqlite3 *db, char **error_message, const struct sqlite3_api_routines *api);

#ifdef __cplusplus
}
#endif

#endif
