using System.Diagnostics;

namespace Tidegate.Load;

/// <summary>Programs of the machine.</summary>
internal static class Tool
{
    /// <summary>The first line that a program prints, on either stream; null when there is no such program.</summary>
    public static string? FirstLine(string file, params string[] arguments)
    {
        if (Find(file) is not { } found)
        {
            return null;
        }

        var (output, errors) = Run(found, arguments);
        return (output + errors).Split('\n')[0].Trim();
    }

    /// <summary>Runs a program to its end.</summary>
    public static (string Output, string Errors) Run(string file, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (output, errors.GetAwaiter().GetResult());
    }

    /// <summary>Where a program is; Debian's servers are in sbin, which not every PATH has.</summary>
    public static string? Find(string file) => file.StartsWith('/')
        ? File.Exists(file) ? file : null
        : (Environment.GetEnvironmentVariable("PATH") + ":/usr/sbin:/sbin").Split(':').Select(folder => Path.Combine(folder, file)).FirstOrDefault(File.Exists);
}
