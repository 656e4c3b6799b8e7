//! The functions of expressions: their names, and how many arguments they take.

use serde::{Deserialize, Serialize};

macro_rules! functions {
    ($($name:ident $text:literal $min:literal..$max:literal;)*) => {
        /// A deterministic function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "named as in SQL")]
        pub enum Function { $($name),* }

        impl Function {
            /// The function of a name in lower case.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Function::$name),)* _ => None }
            }

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Function::$name => $text),* }
            }

            /// The fewest and most arguments.
            pub fn arguments(self) -> (usize, usize) {
                match self { $(Function::$name => ($min, $max)),* }
            }
        }
    };
}

functions! {
    Abs "abs" 1..1;
    Base64 "base64" 1..1;
    Coalesce "coalesce" 2..100;
    Date "date" 1..3;
    Datetime "datetime" 1..3;
    Hex "hex" 1..1;
    Instr "instr" 2..2;
    JsonArray "json_array" 0..100;
    JsonArrayLength "json_array_length" 1..2;
    JsonExtract "json_extract" 2..100;
    JsonKeys "json_keys" 1..1;
    JsonObject "json_object" 0..100;
    JsonType "json_type" 1..2;
    JsonValid "json_valid" 1..1;
    Length "length" 1..1;
    Lower "lower" 1..1;
    Ltrim "ltrim" 1..2;
    Nullif "nullif" 2..2;
    Printf "printf" 1..100;
    Replace "replace" 3..3;
    Round "round" 1..2;
    Rtrim "rtrim" 1..2;
    Strftime "strftime" 2..4;
    Substring "substring" 2..3;
    Time "time" 1..3;
    Trim "trim" 1..2;
    Typeof "typeof" 1..1;
    Unixepoch "unixepoch" 1..3;
    Upper "upper" 1..1;
    UuidBlob "uuid_blob" 1..1;
}

impl Function {
    /// Whether its result counts as JSON when it is an argument of `json_array` or `json_object`.
    pub fn gives_json(self) -> bool {
        matches!(self, Function::JsonArray | Function::JsonObject | Function::JsonExtract | Function::JsonKeys)
    }
}
