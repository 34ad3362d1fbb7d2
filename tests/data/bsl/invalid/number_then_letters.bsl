// error at 2:6
А = 1абв;
