//! The statement by which triggers record a local write.

use alloc::format;
use alloc::string::String;

/// An insert into `powersync_crud` under construction.
pub(in crate::schema) struct CrudInsert {
    columns: String,
    values: String,
}

impl CrudInsert {
    /// One that records `operation`, given the expressions for the row's id and type.
    pub(in crate::schema) fn new(operation: &str, id: &str, row_type: &str) -> Self {
        Self { columns: String::from("op,id,type"), values: format!("'{operation}',{id},{row_type}") }
    }

    /// Sets a further column to the value of an expression.
    pub(in crate::schema) fn add(&mut self, column: &str, value: String) {
        for (list, item) in [(&mut self.columns, column), (&mut self.values, value.as_str())] {
            list.push(',');
            list.push_str(item);
        }
    }

    /// The statement.
    pub(in crate::schema) fn finish(self) -> String {
        format!("INSERT INTO powersync_crud({}) VALUES({});\n", self.columns, self.values)
    }

    /// The statement that records only where `condition` holds.
    pub(in crate::schema) fn finish_where(self, condition: &str) -> String {
        format!("INSERT INTO powersync_crud({}) SELECT {} WHERE {condition};\n", self.columns, self.values)
    }
}
