using System.CommandLine;
using Tidegate.Host.Commands;

var root = new RootCommand("Tidegate: an API traffic gateway for both edges, the calls that you make and the calls that you get.")
{
    CaCommand.Create(),
    CheckCommand.Create(),
    DemoCommand.Create(),
    DiffCommand.Create(),
    ExplainCommand.Create(),
    InitCommand.Create(),
    RunCommand.Create(),
    SchemaCommand.Create(),
};
return await root.Parse(args).InvokeAsync();
