-- Gives those operations their data whose rows have REMOVEs from ?1 to ?2.
{set_waiting_aside}
   AND waiting.id IN (SELECT row_id FROM main.ps_operations
                       WHERE id BETWEEN ?1 AND ?2 AND removed = 1 AND row_type = @type@)
