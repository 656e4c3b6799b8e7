-- Gives those operations their data that are not the only one of their row, as far as this table shows.
{set_waiting_aside}
   AND waiting.id IN (SELECT id FROM main.@waiting@ GROUP BY id HAVING count(*) > 1)
