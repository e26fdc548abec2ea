startFigure();
startTable();
showTable();
startPairs();
