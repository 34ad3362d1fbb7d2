// error at 2:7
А.Б() = 1;
