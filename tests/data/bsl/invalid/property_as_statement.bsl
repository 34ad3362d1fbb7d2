// error at 2:4
А.Б;
