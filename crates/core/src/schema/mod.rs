//! The application's schema: its JSON definition and the tables, views, indexes and triggers that realise it.
