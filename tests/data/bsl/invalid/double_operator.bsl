// error at 2:9
А = 1 + * 2;
