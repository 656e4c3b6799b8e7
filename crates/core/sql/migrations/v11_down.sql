DROP TABLE ps_stream_subscriptions;

DELETE FROM ps_migration WHERE id >= 11;
