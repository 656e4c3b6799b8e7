/// Compares JSON with what a scenario expects, which may hold placeholders; the rules are those of
/// `tests/scenarios/README.md`.
library;

/// Times before this are no microseconds since 1970: 2001-09-09.
const _earliestTime = 1000000000000000;

/// The first difference of [actual] from [expected], with its path; null if there is none.
String? difference(Object? actual, Object? expected, [String path = r'$']) {
  switch ((actual, expected)) {
    case (_, String text) when text.startsWith(r'$'):
      return _placeholder(actual, text, path);
    case (Map<String, Object?> actual, Map<String, Object?> expected):
      final some = expected[r'$has'];
      if (some is Map<String, Object?>) return _members(actual, some, path);
      final unexpected = actual.keys.where((name) => !expected.containsKey(name));
      if (unexpected.isNotEmpty) return '$path.${unexpected.first}: not expected, is ${actual[unexpected.first]}';
      return _members(actual, expected, path);
    case (List<Object?> left, List<Object?> right):
      for (var index = 0; index < left.length && index < right.length; index++) {
        final found = difference(left[index], right[index], '$path[$index]');
        if (found != null) return found;
      }
      return left.length == right.length ? null : '$path: ${left.length} items, expected ${right.length}: $left';
    default:
      // Dart holds 1 and 1.0 for equal; JSON's readers elsewhere do not.
      final isSame = actual == expected && (actual is int) == (expected is int);
      return isSame ? null : '$path: is $actual, expected $expected';
  }
}

String? _members(Map<String, Object?> actual, Map<String, Object?> expected, String path) {
  for (final MapEntry(:key, :value) in expected.entries) {
    if (!actual.containsKey(key)) return '$path.$key: missing, expected $value';
    final found = difference(actual[key], value, '$path.$key');
    if (found != null) return found;
  }
  return null;
}

String? _placeholder(Object? actual, String expected, String path) {
  final colon = expected.indexOf(':');
  final (name, part) = colon < 0 ? (expected, '') : (expected.substring(0, colon), expected.substring(colon + 1));
  final matches = switch (name) {
    r'$any' => true,
    r'$integer' => actual is int,
    r'$text' => actual is String,
    r'$time' => actual is int && actual > _earliestTime,
    r'$contains' => actual is String && actual.contains(part),
    _ => throw FormatException('$path: unknown placeholder $expected'),
  };
  return matches ? null : '$path: is $actual, expected $expected';
}
