//! Rows in the binary format of `COPY`.

/// Rows that are being written.
pub(super) struct Rows {
    bytes: Vec<u8>,
    columns: u16,
}

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

impl Rows {
    /// Rows of so many columns.
    pub(super) fn new(columns: u16) -> Self {
        Self { bytes: HEADER.to_vec(), columns }
    }

    /// Begins a row; its columns follow.
    pub(super) fn begin(&mut self) -> &mut Self {
        self.bytes.extend_from_slice(&self.columns.to_be_bytes());
        self
    }

    pub(super) fn bigint(&mut self, value: i64) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    pub(super) fn int(&mut self, value: i32) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    pub(super) fn smallint(&mut self, value: i16) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.field(value)
    }

    pub(super) fn null(&mut self) -> &mut Self {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
        self
    }

    /// Everything, for the server.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        self.bytes
    }

    /// A field has at most 1 GiB on the server; a longer one is refused there.
    fn field(&mut self, value: &[u8]) -> &mut Self {
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_format_of_copy() {
        let mut rows = Rows::new(4);
        rows.begin().bigint(1).smallint(-1).bytes(b"ab").null();
        let bytes = rows.finish();
        let row = [
            &[0, 4][..],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0, 0, 0, 2, 255, 255],
            &[0, 0, 0, 2, 97, 98],
            &[255; 4],
            &[255, 255],
        ];
        assert_eq!(bytes[..19], *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        assert_eq!(bytes[19..], row.concat());
    }
}
