using System.CommandLine;
using System.Text;
using Tidegate.Dashboard.SignIn;

namespace Tidegate.Host.Commands;

/// <summary><c>tidegate password</c>: the hash of a password, for <c>listeners.admin.sign_in.users</c>.</summary>
internal static class PasswordCommand
{
    // NIST SP 800-63B asks for eight at least where nothing else is asked for; twelve because only the hash stands between a leaked file and the dashboard.
    private const int MinLength = 12;

    public static Command Create()
    {
        var command = new Command("password", "Print the hash of a password, for listeners.admin.sign_in.users. The password is read from the terminal, or from standard input.");
        command.SetAction(parsed => Run(parsed.InvocationConfiguration, Console.In));
        return command;
    }

    private static int Run(InvocationConfiguration console, TextReader input)
    {
        var password = Console.IsInputRedirected ? input.ReadLine() ?? "" : Ask(console);
        if (password.Length is < MinLength or > UserSignIn.MaxLength)
        {
            console.Error.WriteLine($"A password has {MinLength} to {UserSignIn.MaxLength} characters.");
            return ExitCode.Configuration;
        }

        console.Output.WriteLine(Passwords.Hash(password));
        return ExitCode.Success;
    }

    /// <summary>Without showing what is typed.</summary>
    private static string Ask(InvocationConfiguration console)
    {
        console.Error.Write("Password: ");
        var password = new StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key == ConsoleKey.Backspace)
            {
                password.Length = Math.Max(0, password.Length - 1);
            }
            else if (!char.IsControl(key.KeyChar))
            {
                password.Append(key.KeyChar);
            }
        }

        console.Error.WriteLine();
        return password.ToString();
    }
}
