-- The buckets of which rows wait, and how many of each.
SELECT (rowid >> 34) & 4194303 AS bucket, count(*) FROM main.@waiting@ GROUP BY bucket
