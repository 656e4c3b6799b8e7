//! Local writes: the virtual tables that triggers insert into, and the upload queue's entries and transactions.
