//! Random changes of inputs that keep most of their structure: values of JSON are exchanged for others, numbers for the
//! ones at their edges, lengths of BSON for wrong ones, steps of scripts are moved, and bytes are changed anywhere.

use crate::Format;
use crate::random::Random;

/// Inputs do not grow beyond this number of bytes.
const LONGEST: usize = 1 << 16;

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-1",
    "1",
    "2",
    "3",
    "4",
    "127",
    "128",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "1099511627776",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1.0",
    "-1.0",
    "0.5",
    "1e2",
    "1e308",
    "1e400",
    "-1e-400",
    "123456789012345678901234567890",
    "NaN",
    "-Infinity",
];

const LENGTHS: &[i32] = &[i32::MIN, -1, 0, 1, 4, 5, 6, 127, 128, 255, 256, 65535, i32::MAX - 4, i32::MAX];

const JSON_TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "\\ud83d\\ude00",
    "\\\"",
    "\\/",
    "null",
    "true",
    "false",
    "NaN",
    "Infinity",
    "\u{0}",
    "\u{1f}",
    "\u{7f}",
    "é",
    "😀",
    "\n",
    "\t",
    " ",
    "\"\"",
    "{}",
    "[]",
    "\"data\":",
    "\"checkpoint\":",
    "\"checkpoint_diff\":",
    "\"checkpoint_complete\":",
    "\"token_expires_in\":",
    "\"last_op_id\":\"1\",",
    "\"op_id\":\"2\",",
    "\"op\":\"CLEAR\",",
    "\"op\":\"MOVE\",",
    "\"op\":\"REMOVE\",",
    "\"subkey\":\"s\",",
    "\"object_type\":\"lists\",",
    "\"object_id\":\"w1\",",
    "\"object_type\":\"notes\",",
    "\"object_type\":\"tags\",",
    "\"\\u0064ata\":",
    "\"direct\":true,",
    "\"local_only\":true,",
    "\"insert_only\":true,",
    "\"view_name\":\"v\",",
    "\"include_old\":true,",
    "\"include_metadata\":true,",
    "\"raw_tables\":",
    "\"columns\":",
    "\"name\":\"a\\\"b\",",
    "\"name\":\"a'b\",",
    "\"name\":\"id\",",
    "\"type\":\"a)b\",",
    "\"ttl\":9223372036854775807,",
];

const STEPS: &[&str] = &[
    "start",
    "stop",
    "start {\"active_streams\":[{\"name\":\"s\",\"params\":{\"a\":1}}]}",
    "connection established",
    "connection end",
    "refreshed_token",
    "completed_upload",
    "complete",
    "partial 0",
    "partial 1",
    "partial 3",
    "uploaded",
    "write 0",
    "write 1",
    "write 2",
    "write 3",
    "write 5",
    "write 7",
    "write 9",
    "write 11",
    "write 12",
    "schema 0",
    "schema 1",
    "schema 2",
    "clear 0",
    "clear 1",
    "clear 3",
    "resync 0",
    "resync 1",
    "down 13",
    "down 14",
    "rollback",
    "update_subscriptions [{\"name\":\"s\",\"params\":{\"a\":1}}]",
    "next_checkpoint_request_id",
    "subscriptions {\"subscribe\":{\"stream\":{\"name\":\"s\",\"params\":{\"a\":1}},\"ttl\":60,\"priority\":1}}",
    "subscriptions {\"unsubscribe\":{\"name\":\"s\",\"params\":{\"a\":1}}}",
    "seed_checkpoint_request_id 9223372036854775806",
    "target_checkpoint_request_id 0",
    "target_checkpoint_request_id '7",
    "current_checkpoint_request_id",
    "set ps_tx.next_tx 0 NULL",
    "delete ps_tx 0",
    "set ps_kv.value 0 x'ff'",
    "set ps_kv.value 1 -5",
    "delete ps_kv 0",
    "set ps_buckets.last_op 0 -1",
    "set ps_buckets.id 0 0",
    "set ps_buckets.id 0 9223372036854775807",
    "set ps_buckets.settled 0 9223372036854775807",
    "set ps_buckets.count_at_last 0 -9223372036854775808",
    "set ps_operations.id 0 1",
    "set ps_operations.op_id 0 -1",
    "set ps_operations.row_type 0 x",
    "delete ps_operations 0",
    "set ps_operations.data 0 [[[",
    "set ps_row_operations.operation 0 -1",
    "delete ps_row_operations 0",
    "delete ps_checkpoint 0",
    "set ps_checkpoint.generation 0 9223372036854775807",
    "set ps_crud.data 0 {",
    "set ps_crud.tx_id 0 x",
    "set ps_untyped.data 0 x'00ff'",
    "set ps_data__lists.data 0 x",
    "copy ps_updated_rows 0",
    "set ps_stream_subscriptions.local_params 0 {",
    "set ps_stream_subscriptions.expires_at 0 -9223372036854775808",
    "set ps_stream_subscriptions.ttl 0 9223372036854775807",
    "set ps_sync_state.priority 0 -9223372036854775808",
    "set ps_sync_state.last_synced_at 0 9223372036854775807",
    "set ps_buckets.pending_delete 0 1",
];

/// Changes `input` in one to four ways; `others` are inputs to take parts from.
pub fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], format: Format, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let other = if others.is_empty() { &Vec::new() } else { random.pick(others) };
        match (format, random.below(4)) {
            (_, 0) => change_bytes(input, other, random),
            (Format::Bson, 1) => change_length(input, random),
            (Format::Bson, 2) => exchange_range(input, other, random),
            (Format::Bson, _) => nest_document(input, random),
            (Format::Script, 1 | 2) => change_steps(input, other, random),
            (_, 1) => change_number(input, random),
            (_, 2) => insert_token(input, random),
            (_, _) => exchange_value(input, other, random),
        }
        input.truncate(LONGEST);
    }
}

/// A place in `input`, its end included.
fn place(input: &[u8], random: &mut Random) -> usize {
    random.below(input.len() + 1)
}

/// A part of `input`, mostly a short one.
fn part(input: &[u8], random: &mut Random) -> std::ops::Range<usize> {
    let start = place(input, random);
    let most = if random.below(4) == 0 { usize::MAX } else { 16 };
    start..start + random.below((input.len() - start).min(most) + 1)
}

fn change_bytes(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let range = part(input, random);
    match random.below(6) {
        0 => _ = input.drain(range),
        1 => _ = input.splice(range.start..range.start, [random.number() as u8]),
        2 => {
            let copy = input[range].to_vec();
            let at = place(input, random);
            input.splice(at..at, copy);
        }
        3 => exchange_range(input, other, random),
        4 => {
            let byte = random.number() as u8;
            input.iter_mut().skip(range.start).take(1).for_each(|old| *old = byte);
        }
        _ => {
            let bit = random.below(8);
            input.iter_mut().skip(range.start).take(1).for_each(|byte| *byte ^= 1 << bit);
        }
    }
}

fn exchange_range(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let new = other[part(other, random)].to_vec();
    let range = part(input, random);
    input.splice(range, new);
}

/// Writes another number where four bytes may be a length.
fn change_length(input: &mut [u8], random: &mut Random) {
    let last = input.len().saturating_sub(4);
    let at = if random.below(3) == 0 { 0 } else { random.below(last + 1) };
    let Some(bytes) = input.get_mut(at..at + 4) else { return };
    let old = bytes.try_into().map(i32::from_le_bytes).unwrap_or(0);
    let new = match random.below(3) {
        0 => *random.pick(LENGTHS),
        1 => old.wrapping_add(1),
        _ => old.wrapping_sub(1),
    };
    bytes.copy_from_slice(&new.to_le_bytes());
}

/// Puts the whole document into others, some levels deep, and corrects the outermost length of a changed one.
fn nest_document(input: &mut Vec<u8>, random: &mut Random) {
    let levels = *random.pick(&[0, 0, 0, 1, 2, 126, 127, 128, 1000]);
    let set_length = |document: &mut Vec<u8>| {
        let length = i32::try_from(document.len()).unwrap_or(i32::MAX).to_le_bytes();
        document.splice(..4.min(document.len()), length);
    };
    set_length(input);
    for _ in 0..levels {
        let inner = std::mem::take(input);
        input.extend([0, 0, 0, 0, 0x03, b'a', 0]);
        input.extend(inner);
        input.push(0);
        set_length(input);
    }
}

fn change_steps(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let text = String::from_utf8_lossy(input).into_owned();
    let mut steps: Vec<&str> = text.lines().collect();
    let others = String::from_utf8_lossy(other).into_owned();
    let others: Vec<&str> = others.lines().collect();
    let at = random.below(steps.len() + 1);
    match random.below(5) {
        0 if at < steps.len() => _ = steps.remove(at),
        1 if at < steps.len() => steps.insert(random.below(steps.len()), steps[at]),
        2 if !others.is_empty() => steps.insert(at, *random.pick(&others)),
        3 if !others.is_empty() => {
            let start = random.below(others.len());
            let count = random.below(others.len() - start) + 1;
            steps.splice(at..at, others[start..start + count].iter().copied());
        }
        _ => steps.insert(at, *random.pick(STEPS)),
    }
    *input = steps.join("\n").into_bytes();
}

/// Exchanges a number for another one.
fn change_number(input: &mut Vec<u8>, random: &mut Random) {
    let at = place(input, random);
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'.' | b'+');
    let Some(start) = input[at..].iter().position(is_part).map(|skipped| at + skipped) else { return };
    let length = input[start..].iter().take_while(|byte| is_part(byte)).count();
    let small = random.below(40).to_string();
    let new = if random.below(2) == 0 { small.as_str() } else { *random.pick(NUMBERS) };
    input.splice(start..start + length, new.bytes());
}

fn insert_token(input: &mut Vec<u8>, random: &mut Random) {
    let at = place(input, random);
    let token = *random.pick(JSON_TOKENS);
    let times = *random.pick(&[1, 1, 1, 1, 1, 1, 1, 2, 130, 1100]);
    let place = if random.below(2) == 0 { at..at } else { at..(at + token.len()).min(input.len()) };
    input.splice(place, token.repeat(times).into_bytes());
}

/// Exchanges a value of JSON for a value of another text.
fn exchange_value(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let new = value(other, random);
    let new = other.get(new).map(<[u8]>::to_vec).unwrap_or_default();
    let range = value(input, random);
    input.splice(range, new);
}

/// Where some value of JSON is: from a bracket or quotation mark to the one that belongs to it.
fn value(text: &[u8], random: &mut Random) -> std::ops::Range<usize> {
    let at = place(text, random);
    let opens = |byte: &u8| matches!(byte, b'{' | b'[' | b'"');
    let Some(start) = text[at..].iter().position(opens).map(|skipped| at + skipped) else { return at..at };
    let mut depth = 0_usize;
    let mut is_string = false;
    let mut is_escaped = false;
    for (index, byte) in text.iter().enumerate().skip(start) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            b'{' | b'[' if !is_string => depth += 1,
            b'}' | b']' if !is_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && !is_string {
            return start..index + 1;
        }
    }
    start..text.len()
}
