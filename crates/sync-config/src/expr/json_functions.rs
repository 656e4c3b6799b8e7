//! `->`, `->>` and the functions whose names begin with `json_`.

use super::eval::{EvalError, Frame};
use super::{Expr, Function, Operator, Slot};
use crate::value::json::{self, Json, Step};
use crate::value::{Value, format_real, write_json_string};

const BAD_PATH: EvalError = EvalError("the text is no JSON path");

/// `left -> right`, or `left ->> right` with `scalar`.
pub(crate) fn arrow(left: &Value, right: &Value, scalar: bool, frame: &Frame<'_>) -> Result<Value, EvalError> {
    let (Some(text), false) = (left.as_text(), right.is_null()) else { return Ok(Value::Null) };
    let Some(json) = frame.json(&text) else { return Ok(Value::Null) };
    let steps = match right {
        Value::Integer(index) => vec![match usize::try_from(*index) {
            Ok(index) => Step::Index(index),
            Err(_) => Step::FromEnd(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX)),
        }],
        other => {
            let path = other.as_text().unwrap_or_default();
            if path.starts_with('$') {
                json::parse_path(&path).ok_or(BAD_PATH)?
            } else if path.starts_with('[') && path.ends_with(']') {
                json::parse_path(&format!("${path}")).ok_or(BAD_PATH)?
            } else {
                vec![Step::Key(path.into_owned())]
            }
        }
    };
    Ok(match json.find(&steps) {
        None => Value::Null,
        Some(found) if scalar => found.to_value(),
        Some(found) => Value::Text(found.text()),
    })
}

/// Calls a function of JSON; `values` are its arguments, `args` their expressions.
pub(crate) fn call(
    function: Function,
    args: &[Expr<Slot>],
    values: &[Value],
    frame: &Frame<'_>,
) -> Result<Value, EvalError> {
    match function {
        Function::JsonArray => {
            let mut out = String::from("[");
            for (index, (value, arg)) in values.iter().zip(args).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_argument(value, arg, &mut out)?;
            }
            out.push(']');
            return Ok(Value::Text(out));
        }
        Function::JsonObject => return object(args, values),
        Function::JsonValid => {
            return Ok(match values.first().and_then(|value| value.as_text()) {
                Some(text) => Value::boolean(json::parse(&text).is_some()),
                None => Value::Null,
            });
        }
        _ => {}
    }
    let Some(text) = values.first().and_then(|value| value.as_text()) else { return Ok(Value::Null) };
    let Some(json) = frame.json(&text) else {
        return if function == Function::JsonKeys {
            Err(EvalError("json_keys needs an object"))
        } else {
            Ok(Value::Null)
        };
    };
    let paths = values.get(1..).unwrap_or_default();
    if function == Function::JsonExtract {
        return extract(&json, paths);
    }
    let found = match paths.first() {
        None => Some(&json),
        Some(path) => match path.as_text() {
            None => return Ok(Value::Null),
            Some(path) => json.find(&json::parse_path(&path).ok_or(BAD_PATH)?),
        },
    };
    Ok(match (function, found) {
        (Function::JsonKeys, Some(Json::Object(members))) => {
            let mut out = String::from("[");
            for (index, (key, _)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json_string(&json::unescape(key), &mut out);
            }
            out.push(']');
            Value::Text(out)
        }
        (Function::JsonKeys, Some(Json::Null)) => Value::Null,
        (Function::JsonKeys, _) => return Err(EvalError("json_keys needs an object")),
        (_, None) => Value::Null,
        (Function::JsonType, Some(found)) => Value::text(found.type_name()),
        (_, Some(Json::Array(items))) => Value::Integer(items.len() as i64),
        (_, Some(_)) => Value::Integer(0),
    })
}

fn extract(json: &Json<'_>, paths: &[Value]) -> Result<Value, EvalError> {
    let mut found = Vec::with_capacity(paths.len());
    for path in paths {
        let Some(path) = path.as_text() else { return Ok(Value::Null) };
        found.push(json.find(&json::parse_path(&path).ok_or(BAD_PATH)?));
    }
    if let [single] = found.as_slice() {
        return Ok(single.map_or(Value::Null, Json::to_value));
    }
    let items: Vec<String> = found.iter().map(|json| json.map_or("null".to_owned(), Json::text)).collect();
    Ok(Value::Text(format!("[{}]", items.join(","))))
}

fn object(args: &[Expr<Slot>], values: &[Value]) -> Result<Value, EvalError> {
    let mut out = String::from("{");
    let (args, values) = (args.as_chunks::<2>().0, values.as_chunks::<2>().0);
    for (index, ([_, arg], [key, value])) in args.iter().zip(values).enumerate() {
        if index > 0 {
            out.push(',');
        }
        let Value::Text(key) = key else { return Err(EvalError("json_object needs texts as labels")) };
        write_json_string(key, &mut out);
        out.push(':');
        write_argument(value, arg, &mut out)?;
    }
    out.push('}');
    Ok(Value::Text(out))
}

/// An argument of `json_array`: the results of functions of JSON are JSON, other texts are strings.
fn write_argument(value: &Value, arg: &Expr<Slot>, out: &mut String) -> Result<(), EvalError> {
    let is_json = match arg {
        Expr::Call(function, _) => function.gives_json(),
        Expr::Binary(operator, ..) => *operator == Operator::Arrow,
        _ => false,
    };
    match value {
        Value::Null => out.push_str("null"),
        Value::Integer(value) => out.push_str(&value.to_string()),
        Value::Real(value) if value.is_infinite() => out.push_str(if *value > 0.0 { "9.0e+999" } else { "-9.0e+999" }),
        Value::Real(value) => out.push_str(&format_real(*value)),
        Value::Text(text) if is_json => out.push_str(text),
        Value::Text(text) => write_json_string(text, out),
        Value::Blob(_) => return Err(EvalError("JSON cannot hold blobs")),
    }
    Ok(())
}
