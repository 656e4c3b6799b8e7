//! The schema: objects made for it, names, errors, moves between schemas.

mod errors;
mod interop;
mod moves;
mod names;
mod objects;
mod random;
mod row_type_case;
mod tables_named_like_ours;
mod unchanged;
