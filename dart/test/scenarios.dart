/// Runs the scenarios that are shared by all languages, each with its lines as JSON and as BSON:
/// `dart scenarios.dart SQLITE EXTENSION DIRECTORY`, with the two libraries and the directory of the scenarios.
library;

import 'dart:convert';
import 'dart:ffi';
import 'dart:io';
import 'dart:typed_data';

import '../lib/powersync_sqlite_core.dart';
import 'bson.dart';
import 'expectation.dart';
import 'sqlite.dart';

typedef Json = Map<String, Object?>;

void main(List<String> arguments) {
  final [sqlite, extension, directory] = arguments;
  final library = DynamicLibrary.open(sqlite);
  PowerSyncExtension.open(extension)
    ..registerWith(library)
    ..registerWith(library);
  final files = [
    for (final file in Directory(directory).listSync().whereType<File>())
      if (file.path.endsWith('.json')) file,
  ]..sort((one, other) => one.path.compareTo(other.path));
  var passed = 0;
  final failures = <String>[];
  for (final file in files) {
    for (final isBinary in [false, true]) {
      final name = '${file.uri.pathSegments.last}, lines as ${isBinary ? 'BSON' : 'JSON'}';
      final scenario = jsonDecode(file.readAsStringSync()) as Json;
      final problem = _run(Sqlite(library), scenario, isBinary: isBinary);
      problem == null ? passed++ : failures.add('$name: $problem');
    }
  }
  failures.forEach(print);
  print('$passed passed, ${failures.length} failed');
  exitCode = failures.isEmpty && passed > 0 ? 0 : 1;
}

/// Runs one scenario on a new database file. Gives what was different, or null.
String? _run(Sqlite sqlite, Json scenario, {required bool isBinary}) {
  final directory = Directory.systemTemp.createTempSync('powersync');
  final file = '${directory.path}${Platform.pathSeparator}scenario.db';
  Database open() {
    final database = sqlite.open(file);
    final schema = scenario['schema'];
    schema == null
        ? _inTransaction(database, 'SELECT powersync_init()')
        : _inTransaction(database, 'SELECT powersync_replace_schema(?)', [jsonEncode(schema)]);
    return database;
  }

  var database = open();
  try {
    for (final (index, step) in (scenario['steps'] as List<Object?>).indexed) {
      if ((step as Json).containsKey('reopen')) {
        database.close();
        database = open();
        continue;
      }
      final problem = _step(database, step, isBinary: isBinary);
      if (problem != null) return 'step ${index + 1}: $problem';
    }
    return null;
  } finally {
    database.close();
    directory.deleteSync(recursive: true);
  }
}

String? _step(Database database, Json step, {required bool isBinary}) {
  final Object? result;
  try {
    result = _act(database, step, isBinary: isBinary);
  } on SqliteException catch (error) {
    if (!step.containsKey('expect_error')) return 'failed: $error';
    return difference({'code': error.code, 'message': error.message}, step['expect_error']);
  }
  if (step.containsKey('expect_error')) return 'no error, expected ${step['expect_error']}; result $result';
  for (final member in ['expect_rows', 'expect_result']) {
    if (step.containsKey(member)) return difference(result, step[member]);
  }
  if (step.containsKey('expect_json')) {
    if (result case [[String text]]) return difference(jsonDecode(text), step['expect_json']);
    return 'not one text: $result';
  }
  if (!step.containsKey('expect_instructions')) return null;
  if (result is! List<Object?>) return 'no list of instructions: $result';
  final instructions = [
    for (final instruction in result)
      if (step['expect_debug_lines'] == true || !_isDebugLine(instruction)) instruction,
  ];
  return difference(instructions, step['expect_instructions']);
}

bool _isDebugLine(Object? instruction) => switch (instruction) {
      {'LogLine': {'severity': 'DEBUG'}} => true,
      _ => false,
    };

/// What the step's statement or call gives.
Object? _act(Database database, Json step, {required bool isBinary}) {
  if (step case {'sql': String sql}) {
    final parameters = [for (final value in step['parameters'] as List<Object?>? ?? const []) _parameter(value)];
    final run = step['in_transaction'] == true ? _inTransaction : _rows;
    return [
      for (final row in run(database, sql, parameters)) [for (final value in row) _toJson(value)],
    ];
  }
  final (operation, payload) = switch (step) {
    {'control': String operation} => (operation, _payload(step['payload'])),
    {'line': Json line} => isBinary ? ('line_binary', encodeBson(line)) : ('line_text', jsonEncode(line)),
    _ => throw FormatException('a step has one of sql, control and line: $step'),
  };
  final result = _inTransaction(database, 'SELECT powersync_control(?, ?)', [operation, payload]).first.first;
  return result is String ? jsonDecode(result) : result;
}

List<List<Object?>> _rows(Database database, String sql, [List<Object?> parameters = const []]) =>
    database.rows(sql, parameters);

List<List<Object?>> _inTransaction(Database database, String sql, [List<Object?> parameters = const []]) {
  database.rows('BEGIN IMMEDIATE');
  try {
    final rows = database.rows(sql, parameters);
    database.rows('COMMIT');
    return rows;
  } on SqliteException {
    if (!database.isAutocommit) database.rows('ROLLBACK');
    rethrow;
  }
}

Object? _parameter(Object? value) => value is Map || value is List || value is bool ? jsonEncode(value) : value;

/// A call's payload: text, integers and null as they are, `{"$blob": "hex"}` as a blob, other JSON as its text.
Object? _payload(Object? value) => switch (value) {
      null || String() || int() => value,
      {r'$blob': String digits} => _unhex(digits),
      _ => jsonEncode(value),
    };

Uint8List _unhex(String digits) => Uint8List.fromList([
      for (var index = 0; index < digits.length; index += 2)
        int.parse(digits.substring(index, index + 2), radix: 16),
    ]);

/// A value as the scenarios write it.
Object? _toJson(Object? value) => value is Uint8List
    ? {'blob': value.map((byte) => byte.toRadixString(16).padLeft(2, '0')).join()}
    : value;
