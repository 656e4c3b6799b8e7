/// Writes JSON as BSON, with numbers as the reference service writes them: 32-bit integers where they fit, doubles above
/// up to 2⁵³, and 64-bit integers where only those are exact.
library;

import 'dart:convert';
import 'dart:typed_data';

const _exactInDouble = 1 << 53;

/// One BSON document.
Uint8List encodeBson(Map<String, Object?> members) {
  final body = BytesBuilder();
  members.forEach((name, value) {
    final (kind, content) = _element(value);
    body
      ..addByte(kind)
      ..add(utf8.encode(name))
      ..addByte(0)
      ..add(content);
  });
  return (BytesBuilder()
        ..add(_int32(body.length + 5))
        ..add(body.takeBytes())
        ..addByte(0))
      .takeBytes();
}

(int, List<int>) _element(Object? value) {
  switch (value) {
    case null:
      return (0x0a, const []);
    case bool():
      return (0x08, [value ? 1 : 0]);
    case int() when value == value.toSigned(32):
      return (0x10, _int32(value));
    case int() when value.abs() > _exactInDouble:
      return (0x12, _bytes(8, (data) => data.setInt64(0, value, Endian.little)));
    case num():
      return (0x01, _bytes(8, (data) => data.setFloat64(0, value.toDouble(), Endian.little)));
    case String():
      final text = utf8.encode(value);
      return (0x02, [..._int32(text.length + 1), ...text, 0]);
    case List<Object?>():
      return (0x04, encodeBson({for (final (index, item) in value.indexed) '$index': item}));
    case Map<String, Object?>():
      return (0x03, encodeBson(value));
    default:
      throw ArgumentError('not JSON: $value');
  }
}

List<int> _int32(int value) => _bytes(4, (data) => data.setInt32(0, value, Endian.little));

List<int> _bytes(int size, void Function(ByteData) write) {
  final data = ByteData(size);
  write(data);
  return data.buffer.asUint8List();
}
