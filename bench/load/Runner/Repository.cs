namespace Tidegate.Load;

/// <summary>The checkout that this was built from.</summary>
internal static class Repository
{
    private static readonly string Root = Find();

    public static string File(string path) => Path.Combine(Root, path);

    private static string Find()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (System.IO.File.Exists(Path.Combine(directory.FullName, "tidegate.slnx")))
            {
                return directory.FullName;
            }
        }

        throw new FileNotFoundException("This is not inside the repository: no tidegate.slnx above " + AppContext.BaseDirectory);
    }
}
