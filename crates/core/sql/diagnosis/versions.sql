-- ?1: the version of the library, ?2: the format of the internal tables.
SELECT json_object('extension', ?1, 'format', ?2, 'sqlite', sqlite_version(),
                   'encoding', (SELECT encoding FROM pragma_encoding),
                   'journal_mode', (SELECT journal_mode FROM pragma_journal_mode))
