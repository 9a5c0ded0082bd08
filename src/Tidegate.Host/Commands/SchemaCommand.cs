using System.CommandLine;
using Tidegate.Configuration;

namespace Tidegate.Host.Commands;

/// <summary><c>tidegate schema</c>: prints the configuration's JSON Schema, for editors.</summary>
internal static class SchemaCommand
{
    public static Command Create()
    {
        var command = new Command("schema", "Print the JSON Schema of the configuration, for completion in editors.");
        command.SetAction(parsed =>
        {
            parsed.InvocationConfiguration.Output.Write(ConfigSchema.Text());
            return ExitCode.Success;
        });
        return command;
    }
}
