// error at 2:9
А = Б(1));
