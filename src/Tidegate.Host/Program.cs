using System.CommandLine;

var root = new RootCommand("Tidegate: an API traffic gateway for both edges, the calls that you make and the calls that you get.");
return await root.Parse(args).InvokeAsync();
