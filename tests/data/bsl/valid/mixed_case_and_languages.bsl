пРОЦЕДУРА Смешанная() eXPORT
	if Истина тогда
		А = nEW Массив;
	ENDIF;
EndProcedure
