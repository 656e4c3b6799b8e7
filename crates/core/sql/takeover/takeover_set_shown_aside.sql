-- Gives those operations their data whose rows are shown already, or cannot get the rowid.
{set_waiting_aside}
   AND waiting.id IN (SELECT waiting.id FROM main.@waiting@ AS waiting
                       WHERE EXISTS (SELECT 1 FROM main.@shown@ AS shown
                                      WHERE shown.id = waiting.id OR shown.rowid = waiting.rowid))
