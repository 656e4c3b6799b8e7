-- Gives those operations their data whose rows have other operations.
{set_waiting_aside}
   AND waiting.id IN (SELECT waiting.id FROM main.@waiting@ AS waiting
                       WHERE EXISTS (SELECT 1 FROM main.ps_row_operations
                                      WHERE row_type = @type@ AND row_id = waiting.id))
