-- A version in place is the newest one.
NOT EXISTS (SELECT 1 FROM main.ps_operations AS held WHERE {in_place} AND held.row_type = ?1)
