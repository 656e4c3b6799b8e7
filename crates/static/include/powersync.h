/* The PowerSync SQLite extension, linked statically. */
#ifndef POWERSYNC_H
#define POWERSYNC_H

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;
struct sqlite3_api_routines;

/* Registers the extension on every connection that is opened from now on.
 * May be called repeatedly. Returns 0 (SQLITE_OK) or an SQLite error code. */
int powersync_init_static(void);

/* Registers the extension on one connection. On failure returns an SQLite error code and sets *error_message, if
 * error_message is not NULL, to a text that the caller frees with sqlite3_free. The last argument may be NULL. */
int sqlite3_powersync_init(struct sqlite3 *db, char **error_message, const struct sqlite3_api_routines *api);

#ifdef __cplusplus
}
#endif

#endif
