//! Claims of a user's token by their path, for databases in which the type of a value has to be known before it is bound.

use std::collections::HashMap;

use serde_json::value::RawValue;
use sync_config::Value;

use crate::value::value;

/// One of the user's claims, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    path: Vec<Step>,
    /// As what it is bound.
    pub form: ClaimForm,
}

/// As what a claim is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimForm {
    /// As it is.
    Value,
    /// Whether it is true: 1 or 0.
    Truth,
    /// As an array of its elements.
    Array,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Key(String),
    /// An element, from 0.
    Index(usize),
    /// An element, counted from the end: 1 is the last.
    FromEnd(usize),
}

impl Step {
    /// As PostgreSQL has it in paths.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Key(key) => key.clone(),
            Self::Index(index) => index.to_string(),
            Self::FromEnd(back) => format!("-{back}"),
        }
    }
}

/// What the right side of `->>` names; none if it is no path.
pub(super) fn steps(path: &Value) -> Option<Vec<Step>> {
    match path {
        Value::Integer(index) => Some(vec![match usize::try_from(*index) {
            Ok(index) => Step::Index(index),
            Err(_) => Step::FromEnd(usize::try_from(index.unsigned_abs()).ok()?),
        }]),
        Value::Text(path) if path.starts_with('$') => parse(path.get(1..)?),
        Value::Text(path) if path.starts_with('[') && path.ends_with(']') => parse(path),
        Value::Text(path) => Some(vec![Step::Key(path.clone())]),
        _ => None,
    }
}

fn parse(mut rest: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let number = |text: &str| text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    while !rest.is_empty() {
        if let Some(key) = rest.strip_prefix(".\"") {
            let (key, after) = key.split_once('"')?;
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else if let Some(key) = rest.strip_prefix('.') {
            let end = key.find(['.', '[']).unwrap_or(key.len());
            let name = key.get(..end).filter(|name| !name.is_empty())?;
            steps.push(Step::Key(name.to_owned()));
            rest = key.get(end..)?;
        } else {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            steps.push(match index.strip_prefix("#-") {
                Some(back) => Step::FromEnd(number(back)?),
                None => Step::Index(number(index)?),
            });
            rest = after;
        }
    }
    Some(steps)
}

impl Claim {
    pub(super) fn new(path: Vec<Step>) -> Self {
        Self { path, form: ClaimForm::Value }
    }

    /// Something inside of it.
    pub(super) fn inside(&self, mut steps: Vec<Step>) -> Self {
        let mut path = self.path.clone();
        path.append(&mut steps);
        Self { path, form: self.form }
    }

    pub(super) fn in_form(self, form: ClaimForm) -> Self {
        Self { form, ..self }
    }

    /// Its JSON, among the claims as a JSON object.
    pub(crate) fn find<'a>(&self, claims: &'a str) -> Option<&'a RawValue> {
        let mut json: &RawValue = serde_json::from_str(claims).ok()?;
        for step in &self.path {
            json = match step {
                Step::Key(key) => *serde_json::from_str::<HashMap<String, &RawValue>>(json.get()).ok()?.get(key)?,
                Step::Index(index) => serde_json::from_str::<Vec<&RawValue>>(json.get()).ok()?.get(*index).copied()?,
                Step::FromEnd(back) => {
                    let items: Vec<&RawValue> = serde_json::from_str(json.get()).ok()?;
                    items.len().checked_sub(*back).and_then(|at| items.get(at).copied())?
                }
            };
        }
        Some(json)
    }

    /// Its value, or whether that is true.
    pub(crate) fn value(&self, claims: &str) -> Value {
        let found = self.find(claims).map_or(Value::Null, value);
        match self.form {
            ClaimForm::Value | ClaimForm::Array => found,
            ClaimForm::Truth => Value::truth(found.truthy()),
        }
    }

    /// The values of its elements, if it is an array.
    pub(crate) fn elements(&self, claims: &str) -> Option<Vec<Value>> {
        let items: Vec<&RawValue> = serde_json::from_str(self.find(claims)?.get()).ok()?;
        Some(items.into_iter().map(value).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMS: &str = r#"{"sub": "u", "a": {"b": [1, {"c": "x"}], "d.e": true}, "a.b": 6, "none": null}"#;

    fn value_of(path: impl Into<Value>) -> Option<Value> {
        Some(Claim::new(steps(&path.into())?).value(CLAIMS))
    }

    fn at(path: &str) -> String {
        format!("{:?}", value_of(Value::text(path)))
    }

    #[test]
    fn paths_are_those_of_the_sync_language() {
        for (path, expected) in [
            ("sub", r#"Some(Text("u"))"#),
            ("a.b", "Some(Integer(6))"),
            ("$.a.b[0]", "Some(Integer(1))"),
            ("$.a.b[#-1].c", r#"Some(Text("x"))"#),
            (r#"$.a."d.e""#, "Some(Integer(1))"),
            ("$.a.b", r#"Some(Text("[1, {\"c\": \"x\"}]"))"#),
            ("$.a.b[5]", "Some(Null)"),
            ("$.a.b[#-9]", "Some(Null)"),
            ("$.sub.x", "Some(Null)"),
            ("none", "Some(Null)"),
            ("missing", "Some(Null)"),
            ("$.", "None"),
            ("$x", "None"),
            ("$[x]", "None"),
        ] {
            assert_eq!(at(path), expected, "{path}");
        }
        assert_eq!(format!("{:?}", value_of(Value::Integer(0))), "Some(Null)");
        let truth = Claim::new(vec![Step::Key("sub".into())]).in_form(ClaimForm::Truth);
        assert_eq!(format!("{:?}", truth.value(CLAIMS)), "Integer(0)");
        assert_eq!(format!("{:?}", truth.value("{}")), "Null");
    }

    #[test]
    fn any_path_and_any_claims_are_read() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let mut text = |length: usize| -> String {
                (0..random.usize(0..length))
                    .map(|_| random.choice(br#"$.[]#-"ab01{}:, "#).copied().unwrap_or(b'x') as char)
                    .collect()
            };
            let (path, claims) = (text(12), text(20));
            if let Some(steps) = steps(&Value::text(path)) {
                let claim = Claim::new(steps);
                let _ = (claim.value(&claims), claim.elements(CLAIMS));
            }
        }
    }
}
