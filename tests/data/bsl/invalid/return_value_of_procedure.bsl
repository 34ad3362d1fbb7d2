// error at 3:9
Procedure P()
	Return 1;
EndProcedure
