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
    PasswordCommand.Create(),
    PurgeCommand.Create(),
    RunCommand.Create(),
    SchemaCommand.Create(),
    TopCommand.Create(),
};

// Commands that run handle their signals themselves: the library's own handling would end the process after two seconds, in the middle of a drain.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
