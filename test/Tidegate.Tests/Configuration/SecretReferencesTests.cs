using System.Text;
using Tidegate.Configuration;
using Xunit;

namespace Tidegate.Tests.Configuration;

public sealed class SecretReferencesTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tidegate-secrets-");
    private readonly Dictionary<string, string> _environment = [];

    private SecretReferences References => new(_environment.GetValueOrDefault);

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void A_value_may_have_several_references_between_other_text()
    {
        _environment["USER"] = "user";
        _environment["TIDEGATE_SECRET_PAY_KEY"] = "k";
        Write("host", "api.test\r\n");

        Assert.Equal("user:k@api.test/", Resolve("${env:USER}:${ secret : pay-key }@${file:host}/"));
    }

    [Theory]
    [InlineData("plain $text {with} $ and }", "plain $text {with} $ and }")]
    [InlineData("", "")]
    public void Text_without_a_reference_stays(string text, string expected) => Assert.Equal(expected, Resolve(text));

    [Fact]
    public void A_value_is_not_resolved_again()
    {
        _environment["OUTER"] = "${env:INNER}";
        _environment["INNER"] = "x";

        Assert.Equal("${env:INNER}", Resolve("${env:OUTER}"));
    }

    [Theory]
    [InlineData("${env:GONE}", "the environment variable 'GONE' is not set")]
    [InlineData("${env:}", "'${env:}' is no reference; write ${env:NAME}, ${file:path} or ${secret:name}")]
    [InlineData("${NAME}", "'${NAME}' is no reference; write ${env:NAME}, ${file:path} or ${secret:name}")]
    [InlineData("${}", "'${}' is no reference; write ${env:NAME}, ${file:path} or ${secret:name}")]
    [InlineData("${vault:x}", "'vault' is no kind of reference; use env, file or secret")]
    [InlineData("a ${env:X", "a reference that starts with '${' needs a closing '}'")]
    [InlineData("${secret:../x}", "the secret name '../x' must be a plain file name")]
    [InlineData("${secret:.hidden}", "the secret name '.hidden' must be a plain file name")]
    [InlineData("${secret:a\\b}", "the secret name 'a\\b' must be a plain file name")]
    [InlineData("${secret:pay.key-1}", "the secret 'pay.key-1' cannot be found; put it into a file of that name in $TIDEGATE_SECRETS_DIRECTORY, or set TIDEGATE_SECRET_PAY_KEY_1")]
    public void What_cannot_be_resolved_says_what_to_do(string text, string problem) => Assert.Equal((null, problem), References.Resolve(text, _directory.FullName));

    [Fact]
    public void A_path_with_a_nul_is_a_problem_and_no_exception() => Assert.NotNull(References.Resolve("${file:a\0b}", _directory.FullName).Problem);

    [Fact]
    public void A_secret_comes_from_the_first_directory_that_has_it_and_then_from_the_environment()
    {
        Write("first/shared", "1");
        Write("second/shared", "2");
        Write("second/only", "3");
        _environment["TIDEGATE_SECRETS_DIRECTORY"] = Path.Combine(_directory.FullName, "first");
        _environment["CREDENTIALS_DIRECTORY"] = Path.Combine(_directory.FullName, "second");
        _environment["TIDEGATE_SECRET_SHARED"] = "4";
        _environment["TIDEGATE_SECRET_REST"] = "5";

        Assert.Equal("135", Resolve("${secret:shared}${secret:only}${secret:rest}"));
    }

    [Fact]
    public void A_file_is_relative_to_the_configurations_directory_and_loses_its_last_line_ends()
    {
        Write("sub/key", "\uFEFFl\u00EFne one\nline two\n\n");

        Assert.Equal("l\u00EFne one\nline two", Resolve("${file:sub/key}"));
        Assert.Equal("l\u00EFne one\nline two", Resolve("${file:" + Path.Combine(_directory.FullName, "sub/key") + "}"));
    }

    [Fact]
    public void A_file_that_is_too_large_or_has_no_end_is_refused_before_it_fills_the_memory()
    {
        Write("large", new string('x', 65_537));
        Write("fits", new string('x', 65_536));

        Assert.EndsWith("large' is larger than 64KB, too large for a value", References.Resolve("${file:large}", _directory.FullName).Problem, StringComparison.Ordinal);
        Assert.Equal(65_536, Resolve("${file:fits}").Length);
        Assert.SkipUnless(File.Exists("/dev/zero"), "This machine has no /dev/zero.");
        Assert.Equal("the file '/dev/zero' is larger than 64KB, too large for a value", References.Resolve("${file:/dev/zero}", _directory.FullName).Problem);
    }

    [Theory]
    [InlineData("gone")]
    [InlineData(".")]
    public void A_file_that_cannot_be_read_is_named(string name) =>
        Assert.StartsWith($"the file '{Path.Combine(_directory.FullName, name)}' cannot be read: ", References.Resolve($"${{file:{name}}}", _directory.FullName).Problem, StringComparison.Ordinal);

    [Fact]
    public void A_text_that_shows_what_was_resolved_can_be_masked()
    {
        _environment["KEY"] = "Topsecret";
        _environment["SHORT"] = "abc";
        var references = References;
        references.Resolve("Bearer ${env:KEY} ${env:SHORT}", _directory.FullName);

        Assert.Equal("'https://${env:KEY}:1' and '${env:KEY}' is no abc", references.Mask("'https://Topsecret:1' and 'topsecret' is no abc"));
    }

    [Fact]
    public void A_secret_does_not_print_itself() => Assert.Equal("***", $"{new Secret("value")}");

    private string Resolve(string text)
    {
        var (value, problem) = References.Resolve(text, _directory.FullName);
        Assert.Null(problem);
        return value!;
    }

    private void Write(string name, string text)
    {
        var path = Path.Combine(_directory.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
    }
}
