/// As much of SQLite's interface as the scenarios need.
library;

import 'dart:convert';
import 'dart:ffi';
import 'dart:typed_data';

typedef _Handle = Pointer<Void>;
typedef _Bytes = Pointer<Uint8>;

/// What SQLite reported: its extended result code, and the message.
final class SqliteException implements Exception {
  final int code;
  final String message;

  SqliteException(this.code, this.message);

  @override
  String toString() => '($code) $message';
}

const _row = 100;
const _done = 101;

/// Tells SQLite to copy what is bound.
final _transient = Pointer<Void>.fromAddress(-1);

/// An SQLite library.
final class Sqlite {
  final DynamicLibrary library;

  Sqlite(this.library);

  late final _malloc = library.lookupFunction<_Bytes Function(Int), _Bytes Function(int)>('sqlite3_malloc');
  late final _free = library.lookupFunction<Void Function(_Bytes), void Function(_Bytes)>('sqlite3_free');
  late final _open =
      library.lookupFunction<Int Function(_Bytes, Pointer<_Handle>), int Function(_Bytes, Pointer<_Handle>)>(
          'sqlite3_open');
  late final _close = library.lookupFunction<Int Function(_Handle), int Function(_Handle)>('sqlite3_close');
  late final _extended =
      library.lookupFunction<Int Function(_Handle), int Function(_Handle)>('sqlite3_extended_errcode');
  late final _message = library.lookupFunction<_Bytes Function(_Handle), _Bytes Function(_Handle)>('sqlite3_errmsg');
  late final _autocommit =
      library.lookupFunction<Int Function(_Handle), int Function(_Handle)>('sqlite3_get_autocommit');
  late final _prepare = library.lookupFunction<
      Int Function(_Handle, _Bytes, Int, Pointer<_Handle>, Pointer<_Bytes>),
      int Function(_Handle, _Bytes, int, Pointer<_Handle>, Pointer<_Bytes>)>('sqlite3_prepare_v2');
  late final _step = library.lookupFunction<Int Function(_Handle), int Function(_Handle)>('sqlite3_step');
  late final _finalize = library.lookupFunction<Int Function(_Handle), int Function(_Handle)>('sqlite3_finalize');
  late final _bindNull =
      library.lookupFunction<Int Function(_Handle, Int), int Function(_Handle, int)>('sqlite3_bind_null');
  late final _bindInteger = library
      .lookupFunction<Int Function(_Handle, Int, Int64), int Function(_Handle, int, int)>('sqlite3_bind_int64');
  late final _bindReal = library
      .lookupFunction<Int Function(_Handle, Int, Double), int Function(_Handle, int, double)>('sqlite3_bind_double');
  late final _bindText = library.lookupFunction<Int Function(_Handle, Int, _Bytes, Int, Pointer<Void>),
      int Function(_Handle, int, _Bytes, int, Pointer<Void>)>('sqlite3_bind_text');
  late final _bindBlob = library.lookupFunction<Int Function(_Handle, Int, _Bytes, Int, Pointer<Void>),
      int Function(_Handle, int, _Bytes, int, Pointer<Void>)>('sqlite3_bind_blob');
  late final _columnCount =
      library.lookupFunction<Int Function(_Handle), int Function(_Handle)>('sqlite3_column_count');
  late final _columnType =
      library.lookupFunction<Int Function(_Handle, Int), int Function(_Handle, int)>('sqlite3_column_type');
  late final _columnInteger =
      library.lookupFunction<Int64 Function(_Handle, Int), int Function(_Handle, int)>('sqlite3_column_int64');
  late final _columnReal =
      library.lookupFunction<Double Function(_Handle, Int), double Function(_Handle, int)>('sqlite3_column_double');
  late final _columnBlob =
      library.lookupFunction<_Bytes Function(_Handle, Int), _Bytes Function(_Handle, int)>('sqlite3_column_blob');
  late final _columnBytes =
      library.lookupFunction<Int Function(_Handle, Int), int Function(_Handle, int)>('sqlite3_column_bytes');

  /// Calls [use] with memory that holds [bytes] and a zero byte.
  T _withBytes<T>(List<int> bytes, T Function(_Bytes) use) {
    final memory = _malloc(bytes.length + 1);
    memory.asTypedList(bytes.length + 1)
      ..setAll(0, bytes)
      ..last = 0;
    try {
      return use(memory);
    } finally {
      _free(memory);
    }
  }

  /// Calls [make] with a place for a handle, and gives what it left there.
  (int, _Handle) _made(int Function(Pointer<_Handle>) make) {
    final place = _malloc(sizeOf<_Handle>()).cast<_Handle>()..value = nullptr;
    try {
      final code = make(place);
      return (code, place.value);
    } finally {
      _free(place.cast());
    }
  }

  /// Opens or creates a database file.
  Database open(String path) {
    final (code, handle) = _withBytes(utf8.encode(path), (path) => _made((place) => _open(path, place)));
    final database = Database._(this, handle);
    if (code != 0) throw database._failure();
    return database;
  }
}

/// An open connection.
final class Database {
  final Sqlite _sqlite;
  final _Handle _handle;

  Database._(this._sqlite, this._handle);

  /// Closes it. Fails if a statement was left open.
  void close() {
    if (_sqlite._close(_handle) != 0) throw _failure();
  }

  bool get isAutocommit => _sqlite._autocommit(_handle) != 0;

  /// Runs one statement and gives its rows. Values are null, [int], [double], [String] and, for blobs, [Uint8List].
  List<List<Object?>> rows(String sql, [List<Object?> parameters = const []]) {
    final text = utf8.encode(sql);
    final (code, statement) = _sqlite._withBytes(
        text, (memory) => _sqlite._made((place) => _sqlite._prepare(_handle, memory, text.length, place, nullptr)));
    if (code != 0) throw _failure();
    try {
      for (final (index, value) in parameters.indexed) {
        if (_bind(statement, index + 1, value) != 0) throw _failure();
      }
      final rows = <List<Object?>>[];
      for (;;) {
        switch (_sqlite._step(statement)) {
          case _row:
            rows.add([for (var column = 0; column < _sqlite._columnCount(statement); column++) _value(statement, column)]);
          case _done:
            return rows;
          default:
            throw _failure();
        }
      }
    } finally {
      _sqlite._finalize(statement);
    }
  }

  int _bind(_Handle statement, int index, Object? value) {
    switch (value) {
      case null:
        return _sqlite._bindNull(statement, index);
      case int():
        return _sqlite._bindInteger(statement, index, value);
      case double():
        return _sqlite._bindReal(statement, index, value);
      case Uint8List():
        return _sqlite._withBytes(
            value, (memory) => _sqlite._bindBlob(statement, index, memory, value.length, _transient));
      case String():
        final text = utf8.encode(value);
        return _sqlite._withBytes(text, (memory) => _sqlite._bindText(statement, index, memory, text.length, _transient));
      default:
        throw ArgumentError('not a value of SQLite: $value');
    }
  }

  Object? _value(_Handle statement, int column) {
    Uint8List bytes() {
      final memory = _sqlite._columnBlob(statement, column);
      final size = _sqlite._columnBytes(statement, column);
      return size == 0 ? Uint8List(0) : Uint8List.fromList(memory.asTypedList(size));
    }

    return switch (_sqlite._columnType(statement, column)) {
      1 => _sqlite._columnInteger(statement, column),
      2 => _sqlite._columnReal(statement, column),
      3 => utf8.decode(bytes()),
      4 => bytes(),
      _ => null,
    };
  }

  SqliteException _failure() {
    final message = _sqlite._message(_handle);
    var length = 0;
    while (message[length] != 0) {
      length++;
    }
    final text = utf8.decode(message.asTypedList(length), allowMalformed: true);
    return SqliteException(_sqlite._extended(_handle), text);
  }
}
