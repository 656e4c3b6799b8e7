/* All that SQLite's headers take from the C library, so that the bindings are the same wherever they are generated.
** The functions that have a va_list are never called. */
typedef void *va_list;
