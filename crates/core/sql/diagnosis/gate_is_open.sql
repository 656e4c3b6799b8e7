{gate}
SELECT state = 'open' FROM gate
