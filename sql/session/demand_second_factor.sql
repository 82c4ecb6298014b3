select app.demand_second_factor()
