using System.CommandLine;

namespace Tidegate.Host.Commands;

/// <summary><c>tidegate init [FILE]</c>: writes a commented first configuration; never over an existing file.</summary>
internal static class InitCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "Where to write it.", DefaultValueFactory = _ => "tidegate.yaml" };
        var command = new Command("init", "Write a commented first configuration.") { file };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetRequiredValue(file), parsed.InvocationConfiguration, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string file, InvocationConfiguration console, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = new FileStream(file, FileMode.CreateNew);
            await using var starter = typeof(InitCommand).Assembly.GetManifestResourceStream("starter.yaml")!;
            await starter.CopyToAsync(stream, cancellationToken);
        }
        catch (Exception unwritable) when (unwritable is IOException or UnauthorizedAccessException)
        {
            await console.Error.WriteLineAsync(File.Exists(file) ? $"{file} exists already. Name another file: tidegate init FILE" : $"{file} cannot be written: {unwritable.Message}");
            return ExitCode.Configuration;
        }

        await console.Output.WriteLineAsync($"Wrote {file}. Next: tidegate check {file}, then tidegate run --config {file}");
        return ExitCode.Success;
    }
}
